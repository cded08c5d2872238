"""What follows from the settings."""

from pathlib import Path

import pytest
from sqlalchemy import text

from app.database.engine import make_engine, write
from app.settings import DATABASE_FILE, Settings


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%41b", "a&mode=ro", "?mode=memory", "a:b@c", 'q"ü', "a\\b"])
def test_the_database_is_in_the_data_folder_whatever_its_path(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    engine = make_engine(Settings(data_dir=folder).resolved_database_url)
    with write(engine) as connection:
        connection.execute(text("CREATE TABLE t (n int)"))
    engine.dispose()
    assert (folder / DATABASE_FILE).is_file() and [*tmp_path.iterdir()] == [folder]


@pytest.mark.parametrize("url", [None, ""])
def test_an_empty_url_of_a_database_is_none(tmp_path: Path, url: str | None) -> None:
    settings = Settings(data_dir=tmp_path, database_url=url)
    assert not settings.names_database and not settings.shares_database
    assert settings.database_file == tmp_path / DATABASE_FILE


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////elsewhere/x.db", Path("/elsewhere/x.db")),
        ("sqlite:///x.db", Path("x.db")),
        ("sqlite://", None),
        ("sqlite:///file:x.db?mode=ro&uri=true", None),
        ("postgresql://a@b/c", None),
    ],
)
def test_the_file_of_a_database_that_is_named(url: str, file: Path | None) -> None:
    settings = Settings(database_url=url)
    assert settings.names_database and settings.database_file == file
