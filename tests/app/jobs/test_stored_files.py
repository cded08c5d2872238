"""A data folder that is not that of the database: found before anything is made in it."""

import shlex
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from app.database.engine import make_engine, write
from app.images.repository import NewImage, add_image, image_key
from app.jobs.job import Artifact
from app.jobs.repository import NewJob, create_job
from app.jobs.storage_keys import attempt_folder
from app.jobs.stored_files import WrongDataFolder, open_storage, require_files
from app.jobs.tables import artifacts
from app.media import PictureInfo
from app.settings import Settings
from app.storage import Stored

INFO = PictureInfo("PNG", "image/png", 1, 1, has_alpha=False, orientation=1, bytes=1)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "a disk", database_url=database_url)


def test_a_new_service_makes_its_folder(settings: Settings, engine: Engine) -> None:
    create_job(engine, NewJob("k", "long", {}))
    open_storage(settings, engine).put("images/a", b"a")
    assert (settings.data_dir / "files/images/a").read_bytes() == b"a"


def test_pictures_without_a_folder_are_refused_and_nothing_is_made(
    settings: Settings, engine: Engine
) -> None:
    add_image(engine, NewImage("a", None, INFO, Stored(image_key("a"), 1, "00")))
    for folder in (None, settings.data_dir, settings.data_dir / "files"):
        if folder is not None:
            folder.mkdir()
        with pytest.raises(WrongDataFolder) as refused:
            open_storage(settings, engine)
    assert list(settings.data_dir.rglob("*")) == [settings.data_dir / "files"]
    message = str(refused.value)
    assert "Mount its disk" in message and "IMPASTO_DATA_DIR" in message and "\n" not in message
    # What it says is enough to go on without them.
    command = message.partition("go on without them: ")[2]
    subprocess.run(shlex.split(command), check=True)
    open_storage(settings, engine).put("images/b", b"b")


def test_results_without_a_folder_are_refused(settings: Settings, engine: Engine) -> None:
    job, _ = create_job(engine, NewJob("k", "long", {}))
    require_files(settings, engine)
    made = Artifact(job.id, "image", f"{attempt_folder(job.id, 1)}/image.png", "image/png", 1, "00")
    with write(engine) as connection:
        connection.execute(insert(artifacts).values(**vars(made)))
    (settings.data_dir / "files/images").mkdir(parents=True)
    with pytest.raises(WrongDataFolder, match=r"mkdir -p '[^']*/files/jobs'"):
        require_files(settings, engine)


def test_a_database_without_tables_is_left_to_those_that_need_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/empty.db")
    engine = make_engine(settings.resolved_database_url)
    open_storage(settings, engine)
    engine.dispose()
