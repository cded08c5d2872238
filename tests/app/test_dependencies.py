"""What is installed beside this package."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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
