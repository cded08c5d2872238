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
