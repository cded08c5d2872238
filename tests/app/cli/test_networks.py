"""``impasto networks``, on a running service and on a data folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from safetensors.torch import load
from typer.testing import CliRunner, Result

from app.cli import program
from app.database.engine import make_engine
from app.database.migrations import configuration
from app.database.schema import schema_of
from app.networks.training_record import TrainingRecord
from app.settings import Settings
from app.supervision.startup import claim_data_dir
from models.network import hash_weights
from tests.support.databases import leave_to_a_newer_release
from tests.support.disks import small_disk
from tests.support.network_files import network_file, small_network

Run = Callable[..., Result]
RECORD = TrainingRecord(
    dataset="pets",
    dataset_sha256="1" * 64,
    split={"train": 7, "validation": 2, "test": 1},
    balance={"ant": 7},
    params={},
    seed=3,
    history=[],
    metrics={"test_accuracy": 0.75},
    version="0.1.0",
)


@pytest.fixture(params=["service", "folder"])
def run(request: pytest.FixtureRequest, settings: Settings) -> Run:
    """Run the command against either."""
    if request.param == "service":
        where = ["--url", request.getfixturevalue("address")]
    else:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        where = ["--data-dir", str(settings.data_dir)]
    return lambda *arguments: CliRunner().invoke(program, ["networks", *arguments, *where])


@pytest.mark.medium
def test_from_a_file_and_back(run: Run, tmp_path: Path) -> None:
    network = small_network()
    told = RECORD.model_dump(mode="json")
    (tmp_path / "in.safetensors").write_bytes(network_file(network, card={"training": told}))
    added = run("import", str(tmp_path / "in.safetensors"), "--name", "mine")
    assert added.exit_code == 0, added.output
    assert "mine: imported" in added.output and "6 classes" in added.output
    listed = run("list")
    assert "mine" in listed.output and "75.0 %" in listed.output and "to be downloaded" in listed.output
    assert "Networks of yours take" in listed.output
    names = [each["name"] for each in json.loads(run("list", "--json").stdout)]
    assert names[-1] == "mine" and "palette" in names
    shown = run("show", "mine")
    assert "test_accuracy" in shown.output.replace(" ", "_") and "conv1_1" in shown.output
    assert json.loads(run("show", "mine", "--json").stdout)["training"] == told
    assert "palette: shipped" in run("show", "palette").output
    assert run("rename", "mine", "ours").output.startswith("ours: imported")
    out = tmp_path / "out.safetensors"
    assert run("export", "ours", "-o", str(out)).exit_code == 0
    assert hash_weights(load(out.read_bytes())) == network.sha256
    assert run("delete", "ours").output == "Network ours is deleted.\n"
    assert "no network 'ours'" in run("show", "ours").output


@pytest.mark.medium
def test_what_goes_wrong_is_said_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"not weights")
    for arguments, says in (
        (("import", str(tmp_path / "bad.safetensors")), "cannot be read as safetensors"),
        (("rename", "palette", "x"), "shipped network"),
        (("delete", "none"), "no network 'none'"),
        (("export", "none", "-o", str(tmp_path / "a.safetensors")), "no network 'none'"),
        (("export", "palette", "-o", str(tmp_path / "a.pth")), "must end in .safetensors"),
    ):
        result = run(*arguments)
        assert result.exit_code in (1, 2) and says in result.output, result.output
        assert result.output.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if "safetensors" in path.name] == ["bad.safetensors"]


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    result = CliRunner().invoke(program, ["networks", "list", "--data-dir", str(missing)])
    assert result.exit_code == 1 and "There is no folder" in result.output and not missing.exists()


@pytest.mark.medium
def test_a_data_folder_of_another_release_is_migrated_unless_a_service_uses_it(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True)
    url = settings.resolved_database_url
    command.upgrade(configuration(url), "0009")
    engine = make_engine(url)
    listing = ["networks", "list", "--data-dir", str(settings.data_dir)]
    with claim_data_dir(settings.data_dir):
        refused = CliRunner().invoke(program, listing)
    assert refused.exit_code == 2
    assert "revision 0009" in refused.stderr and "Another service is using" in refused.stderr
    assert schema_of(engine).revision == "0009"

    assert CliRunner().invoke(program, listing).exit_code == 0
    assert schema_of(engine).state == "current"

    leave_to_a_newer_release(engine)
    refused = CliRunner().invoke(program, listing)
    assert refused.exit_code == 2 and "newer release" in refused.stderr
    engine.dispose()


@pytest.mark.medium
def test_the_database_of_a_service_is_left_as_it_is(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.data_dir.mkdir(parents=True)
    url = f"sqlite:///{tmp_path / 'theirs.db'}"
    command.upgrade(configuration(url), "0009")
    monkeypatch.setenv("IMPASTO_DATABASE_URL", url)
    refused = CliRunner().invoke(program, ["networks", "list", "--data-dir", str(settings.data_dir)])
    assert refused.exit_code == 2 and "impasto api" in refused.stderr
    engine = make_engine(url)
    assert schema_of(engine).revision == "0009"
    engine.dispose()


@pytest.mark.medium
def test_an_export_has_a_name_as_long_as_the_file_system_takes(settings: Settings, tmp_path: Path) -> None:
    settings.data_dir.mkdir(parents=True)
    output = tmp_path / ("x" * 243 + ".safetensors")
    where = ["-o", str(output), "--data-dir", str(settings.data_dir)]
    assert CliRunner().invoke(program, ["networks", "export", "palette", *where]).exit_code == 0
    assert load(output.read_bytes())


@pytest.mark.medium
def test_an_export_onto_a_full_disk_is_said(settings: Settings, tmp_path: Path) -> None:
    settings.data_dir.mkdir(parents=True)
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        where = ["-o", str(disk / "a.safetensors"), "--data-dir", str(settings.data_dir)]
        refused = CliRunner().invoke(program, ["networks", "export", "palette", *where])
        assert refused.exit_code == 1 and "No space left on device" in refused.output
        assert refused.output.count("\n") == 1 and list(disk.iterdir()) == []
