"""What is installed beside this package, and which of it the HTTP service has in memory."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.database.migrations import upgrade
from app.settings import Settings

ROOT = Path(__file__).parents[2]


def requirements(folder: Path) -> list[Requirement]:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return [Requirement(each) for each in project["dependencies"]]


@pytest.mark.parametrize("folder", [ROOT, ROOT / "clients/python"], ids=["impasto", "client"])
def test_no_release_that_may_differ_is_installed_unseen(folder: Path) -> None:
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    )
    names = [requirement.name for requirement in requirements(folder)]
    assert len(names) == len({name.lower() for name in names})
    for requirement in requirements(folder):
        assert {each.operator for each in requirement.specifier} & {"<", "=="}, requirement
        # torch and torchvision are each machine's own.
        if requirement.name in pinned:
            assert pinned[requirement.name] in requirement.specifier, requirement
    assert "packaging" in pinned


# Of each megabyte there is one in every process of the API.
HEAVY = {"torch", "numpy", "scipy", "av", "redis", "celery", "alembic", "mako", "pygments", "rich", "typer"}
PROGRAM = """
import sys
from app.main import create_app
create_app()
print(*sys.modules)
"""


@pytest.mark.medium
def test_a_service_on_one_machine_loads_nothing_heavy(settings: Settings) -> None:
    upgrade(settings.resolved_database_url)
    environment = os.environ | {"IMPASTO_DATA_DIR": str(settings.data_dir)}
    command = [sys.executable, "-c", PROGRAM]
    loaded = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "app.main" in loaded
    assert not HEAVY & set(loaded)
