"""A network that is registered at run time: from validation to its deletion."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image
from safetensors.torch import load
from typer.testing import CliRunner, Result

from app.cli import program
from app.database.engine import read
from app.errors import InputError
from app.jobs import repository
from app.jobs.errors import ParamsError
from app.jobs.job import Job
from app.jobs.needs import users_of_network
from app.jobs.params import parse_params
from app.jobs.repository import get_job
from app.jobs.states import State
from app.main import create_app
from app.media.recipe_text import read_recipe
from app.networks import service
from app.networks.catalogue import Catalogue
from app.networks.repository import StoredNetwork
from app.settings import Settings
from models.network import hash_weights
from tests.support import strange_pictures as strange
from tests.support.network_files import network_file, small_network
from tests.support.worker_context import add_picture, job_service, run, submit
from worker.contract.compute import Compute
from worker.networks.loading import NetworkLoader
from worker.runtime.context import WorkerContext

CPU = Compute(torch.device("cpu"))


def register(context: WorkerContext, name: str = "small", seed: int = 0, **changes: object) -> StoredNetwork:
    data = network_file(small_network(name, seed), card=changes)
    return service.add_network(context.engine, context.storage, io.BytesIO(data), len(data), origin="trained")


def dream(context: WorkerContext, network: str = "small") -> Job:
    picture = add_picture(context, strange.noise(size=(48, 40)))
    asked = {
        "image": picture,
        "network": network,
        "layers": ["relu2_2"],
        "size": 48,
        "octaves": 1,
        "steps": 2,
    }
    params = parse_params("deep_dream", asked, Catalogue(context.engine))
    return submit(context, params)


def test_a_registered_network_validates_and_dreams(context: WorkerContext) -> None:
    with pytest.raises(ParamsError, match="There is no network 'small'"):
        dream(context)
    network = register(context)
    with pytest.raises(ParamsError, match=r"no network 'other'.*palette.*small"):
        dream(context, "other")
    job = dream(context)
    assert (job.network, job.network_sha256) == ("small", network.sha256)
    done = run(context)
    assert (done.state, done.error) == (State.SUCCEEDED, None)
    assert done.result is not None
    assert done.result["recipe"]["network"] == {"name": "small", "sha256": network.sha256}
    # It classifies: its classes are known, and what is loaded computes what was saved.
    loaded = context.networks.prepared("small", None, CPU)
    picture = torch.rand(1, 3, 40, 48)
    assert torch.equal(
        loaded.logits(picture), small_network().prepared(CPU.device, CPU.dtype).logits(picture)
    )
    assert context.networks.prepared("small", None, CPU) is loaded


def test_a_job_finds_a_renamed_network_by_its_hash(context: WorkerContext) -> None:
    first = register(context)
    dream(context)
    service.rename(context.engine, "small", "renamed")
    register(context, "small", seed=1)  # another network takes the old name
    done = run(context)
    assert done.state is State.SUCCEEDED and done.result is not None
    assert done.result["recipe"]["network"] == {"name": "renamed", "sha256": first.sha256}
    # And so does a retry.
    again = job_service(context).retry(get_job(context.engine, done.id))
    assert (again.network, again.network_sha256) == ("renamed", first.sha256)
    assert again.params["network"] == "renamed"


def classify_with(context: WorkerContext, *networks: str) -> Job:
    asked = {"image": add_picture(context, strange.noise(size=(80, 72))), "networks": list(networks)}
    return submit(context, parse_params("classify", asked, Catalogue(context.engine)))


def users_of(context: WorkerContext, sha256: str) -> list[str]:
    with read(context.engine) as connection:
        return users_of_network(connection, sha256)


@pytest.mark.medium
def test_every_network_of_an_ensemble_is_found_by_its_hash(context: WorkerContext) -> None:
    first, second = register(context, "first", seed=1), register(context, "second", seed=2)
    job = classify_with(context, "first", "second")
    assert (job.network_sha256, job.further_networks) == (first.sha256, {"second": second.sha256})
    for network in (first, second):
        assert users_of(context, network.sha256) == [job.id]
    service.rename(context.engine, "second", "renamed")
    other = register(context, "second", seed=3)  # another network takes the old name
    assert users_of(context, other.sha256) == []
    done = run(context)
    assert done.state is State.SUCCEEDED and done.result is not None
    assert [each["network"] for each in done.result["networks"]] == ["first", "renamed"]
    recipe = done.result["recipe"]
    assert recipe["network"] == {"name": "first", "sha256": first.sha256}
    assert recipe["further_networks"] == [{"name": "renamed", "sha256": second.sha256}]
    assert recipe["params"]["networks"] == ["first", "renamed"]
    assert users_of(context, second.sha256) == []
    again = job_service(context).retry(get_job(context.engine, done.id))
    assert again.params["networks"] == ["first", "renamed"]
    assert again.further_networks == {"renamed": second.sha256}


def test_a_network_of_an_ensemble_that_is_gone_is_named_by_its_place(context: WorkerContext) -> None:
    register(context, "first", seed=1)
    second = register(context, "second", seed=2)
    classify_with(context, "first", "second")
    service.delete(context.engine, context.storage, second, lambda *_: [])
    failed = run(context)
    assert failed.error is not None and failed.error["field"] == "networks.1"


def test_a_network_that_is_compared_with_is_found_by_its_hash(context: WorkerContext) -> None:
    register(context, "first", seed=1)
    second = register(context, "second", seed=2)
    with pytest.raises(ParamsError, match="network itself"):
        parse_params("filters", {"network": "first", "against": "first"}, Catalogue(context.engine))
    asked = {"network": "first", "against": "second"}
    job = submit(context, parse_params("filters", asked, Catalogue(context.engine)))
    assert job.further_networks == {"second": second.sha256}
    service.rename(context.engine, "second", "renamed")
    done = run(context)
    assert done.result is not None and done.result["recipe"]["params"]["against"] == "renamed"
    assert [each["network"] for each in done.result["filters"]] == ["first", "renamed"]


def test_a_job_does_not_take_another_network_of_the_name(context: WorkerContext) -> None:
    first = register(context)
    dream(context)
    service.delete(context.engine, context.storage, first, lambda *_: [])
    register(context, "small", seed=1)
    failed = run(context)
    assert failed.state is State.FAILED and failed.error is not None
    assert failed.error["field"] == "network" and "another network has its name" in failed.error["detail"]


@pytest.mark.medium
def test_what_the_architecture_does_not_have_fails_the_job(context: WorkerContext) -> None:
    layers = json.loads(json.dumps(register(context).card.model_dump(mode="json")["layers"]))
    layers[0]["receptive_field"] = 5
    for name, changes, reason in (
        ("params", {"architecture_params": {"depth": 17}}, "does not take the params"),
        ("wide", {"architecture_params": {"depth": 16, "width": 1e300, "classes": 6}}, "does not take"),
        ("deep", {"architecture_params": {"depth": 19, "width": 1 / 16, "classes": 6}}, "not the first of"),
        ("half", {"architecture_params": {"depth": 16, "width": 1 / 32, "classes": 6}}, "conv1_1"),
        ("field", {"layers": layers}, "receptive_field=3"),
        ("narrow", {"input_size": 31}, "classifies 31 px, and its layers need 32 px"),
    ):
        register(context, name, **changes)
        with pytest.raises(InputError, match=f"'{name}' cannot be built.*{reason}") as caught:
            context.networks.prepared(name, None, CPU)
        assert caught.value.field == "network"


def test_damaged_or_lost_weights_are_told(context: WorkerContext) -> None:
    network = register(context)
    loader = replace(context.networks, weights=None)
    data = network_file(small_network(seed=1))
    context.storage.put(network.key, data)
    with pytest.raises(InputError, match=r"does not have the hash.*Import the network again"):
        loader.prepared("small", None, CPU)
    context.storage.put(network.key, data[:-1])
    with pytest.raises(InputError, match="damaged"):
        loader.prepared("small", None, CPU)
    context.storage.delete(network.key)
    with pytest.raises(InputError, match="is gone"):
        loader.prepared("small", None, CPU)
    with pytest.raises(InputError, match="not here any more"):
        NetworkLoader().prepared("small", None, CPU)


@pytest.mark.medium
def test_from_one_data_folder_to_another(context: WorkerContext, settings: Settings, tmp_path: Path) -> None:
    network = register(context)
    job = dream(context)
    with TestClient(create_app(settings)) as client:
        (shown,) = client.get("/v1/networks", params={"sha256": network.sha256}).json()["items"]
        assert (shown["name"], shown["origin"], shown["available"]) == ("small", "trained", True)
        assert client.get(f"/v1/jobs/{job.id}").json()["network"] == {
            "name": "small",
            "sha256": network.sha256,
        }
        renamed = client.patch("/v1/networks/small", json={"name": "mine"})
        assert (renamed.status_code, renamed.json()["name"]) == (200, "mine")
        exported = client.get("/v1/networks/mine/export").content
        in_use = client.delete("/v1/networks/mine")
        assert (in_use.status_code, in_use.json()["type"]) == (409, "network_in_use")
        assert job.id in in_use.json()["detail"]
        assert client.post(f"/v1/jobs/{job.id}/cancel").status_code == 200
        assert client.delete("/v1/networks/mine").status_code == 204
        assert client.get("/v1/networks/mine").status_code == 404
    assert list((settings.data_dir / "files" / "networks").rglob("*.safetensors")) == []
    assert hash_weights(load(exported)) == network.sha256

    fresh = settings.model_copy(update={"data_dir": tmp_path / "fresh"})
    with TestClient(create_app(fresh)) as client:
        answer = client.post("/v1/networks", files={"file": exported}, data={"name": "theirs"})
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"] == "/v1/networks/theirs"
        imported = answer.json()
        assert (imported["sha256"], imported["origin"]) == (network.sha256, "imported")
        assert imported["layers"] == shown["layers"] and imported["classes"] == shown["classes"]
        job_json = client.post("/v1/class-visualization", json={"network": "theirs", "target": "bee"}).json()
        assert job_json["network"] == {"name": "theirs", "sha256": network.sha256}
    assert repository.list_jobs(context.engine, limit=1)[0].state is State.CANCELLED


@pytest.mark.medium
def test_commands_use_the_networks_of_the_data_folder(
    context: WorkerContext, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    Path("photo.png").write_bytes(strange.noise(size=(48, 40)))

    def dream_here(*options: str, folder: Path = settings.data_dir) -> Result:
        monkeypatch.setenv("IMPASTO_DATA_DIR", str(folder))
        return CliRunner().invoke(program, ["deep-dream", "photo.png", "-o", "out.png", *options])

    quick = ("--network", "small", "--layers", "relu2_2", "--size", "48", "--octaves", "1", "--steps", "2")
    network = register(context)
    assert "no network 'small'" in dream_here(*quick, folder=tmp_path / "none").output
    assert dream_here(*quick).exit_code == 0
    first = Path("out.png").read_bytes()
    # A recipe finds it under its new name.
    service.rename(context.engine, "small", "renamed")
    assert "no network 'small'" in dream_here(*quick).output
    again = dream_here("--recipe", "out.png")
    assert again.exit_code == 0, again.output
    with Path("out.png").open("rb") as file:
        recipe = read_recipe(file)
    assert recipe is not None and recipe["params"]["network"] == "renamed"
    assert recipe["network"] == {"name": "renamed", "sha256": network.sha256}
    assert Image.open("out.png").tobytes() == Image.open(io.BytesIO(first)).tobytes()
