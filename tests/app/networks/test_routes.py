"""Networks as the service shows them: with their weights, or how to come by them."""

import pytest
import torch
from fastapi.testclient import TestClient

from app.http.services import Services
from models import conversion


def test_a_network_that_is_not_here_says_what_to_download(client: TestClient) -> None:
    networks = {each["name"]: each for each in client.get("/v1/networks").json()["items"]}
    assert networks["vgg19-random"]["available"] and networks["vgg19-random"]["download"] is None
    vgg = networks["vgg19"]
    assert (vgg["available"], vgg["sha256"]) == (False, None)
    assert vgg["download"] == {
        "file": "vgg19-dcbb9e9d.pth",
        "bytes": 574_673_000,
        "sha256_prefix": "dcbb9e9d",
    }
    # What is known of the licence, before anybody downloads it.
    assert "BSD-3" in vgg["source"] and "non-commercial" in vgg["source"]
    assert client.get("/v1/networks/vgg19").json() == vgg
    assert client.get("/v1/networks/vgg99").status_code == 404


def test_layers_are_those_that_are_here(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = client.get("/v1/networks/vgg19").json()
    assert (whole["layers"][-1]["name"], len(whole["classes"])) == ("logits", 1000)
    folder = services.settings.weights.path
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    state = {"features.0.weight": torch.randn(64, 3, 3, 3, generator=generator)}
    state["features.0.bias"] = torch.zeros(64)
    monkeypatch.setattr(conversion, "SIDE", 16)
    about = conversion.convert("vgg19", state, folder, source="brought", file_sha256="0" * 64)
    found = client.get("/v1/networks/vgg19").json()
    assert (found["available"], found["sha256"], found["source"]) == (True, about["sha256"], "brought")
    assert [layer["name"] for layer in found["layers"]] == ["conv1_1", "relu1_1"]
    assert found["classes"] == []


def test_a_download_is_a_job(client: TestClient) -> None:
    answer = client.post("/v1/pull-weights", json={"network": "squeezenet1_1"})
    assert answer.status_code == 202
    job = answer.json()
    assert (job["kind"], job["state"], job["params"]) == (
        "pull_weights",
        "queued",
        {"network": "squeezenet1_1"},
    )
    refused = client.post("/v1/pull-weights", json={"network": "vgg19-random"})
    assert (refused.status_code, refused.json()["field"]) == (422, "network")
    assert "needs no download" in refused.json()["detail"]
    kinds = {kind["kind"]: kind for kind in client.get("/v1/kinds").json()["items"]}
    assert (kinds["pull_weights"]["listed"], kinds["style_transfer"]["listed"]) == (False, True)
