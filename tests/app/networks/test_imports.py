"""Files of networks: what is taken, what is refused, and that nothing of it is kept."""

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from safetensors import safe_open
from safetensors.torch import load

from app.http.services import Services
from app.jobs.needs import users_of_network
from app.networks.catalogue import list_cards
from app.networks.errors import NetworkInUse
from app.networks.repository import list_networks
from app.networks.service import delete
from app.networks.training_record import TrainingRecord, thinned
from app.settings import Settings
from models.network import Network, hash_weights
from tests.support.apps import lent_app
from tests.support.network_files import network_file, small_network


@pytest.fixture(scope="module")
def network() -> Network:
    return small_network()


def send(client: TestClient, data: bytes, **form: str) -> Any:
    return client.post("/v1/networks", files={"file": ("a.safetensors", data)}, data=form)


def stored(services: Services) -> list[str]:
    root = services.settings.data_dir / "files"
    return [path.name for path in root.rglob("*") if path.is_file()]


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header: Any, rest: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def with_entry(data: bytes, name: str, **values: object) -> bytes:
    header, rest = parts(data)
    header[name] = {**header[name], **values}
    return joined(header, rest)


def half(network: Network, dtype: torch.dtype) -> bytes:
    weights = {name: weight.to(dtype) for name, weight in network.stack.state_dict().items()}
    return network_file(network, card={"sha256": hash_weights(weights)}, weights=weights)


@pytest.mark.medium
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_16_bits_are_taken(client: TestClient, network: Network, dtype: torch.dtype) -> None:
    answer = send(client, half(network, dtype))
    assert answer.status_code == 201, answer.text
    exported = load(client.get("/v1/networks/small/export").content)
    assert {weight.dtype for weight in exported.values()} == {dtype}
    assert hash_weights(exported) == answer.json()["sha256"]


def weights_with(network: Network, **changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    found = {
        **network.stack.state_dict(),
        **{name.replace("__", "."): each for name, each in changes.items()},
    }
    return {name: weight for name, weight in found.items() if weight is not None}


BROKEN: dict[str, Callable[[bytes, Network], bytes]] = {
    "empty": lambda data, _: b"",
    "short": lambda data, _: data[:7],
    "pickle": lambda data, _: b"\x80\x04\x95" + data,
    "huge header": lambda data, _: struct.pack("<Q", 2**63) + data[8:],
    "no JSON": lambda data, _: struct.pack("<Q", 8) + b"not JSON" + data,
    "nested": lambda data, _: struct.pack("<Q", 200_000) + b"[" * 200_000,
    "a list": lambda data, _: joined([1], b""),
    "digits": lambda data, _: struct.pack("<Q", 9_000) + b"9" * 9_000,
    "NaN": lambda data, _: struct.pack("<Q", 9) + b'{"a":NaN}',
    "surrogate": lambda data, _: struct.pack("<Q", 15) + b'{"\\ud800": {}}  ',
    "metadata": lambda data, _: joined({"__metadata__": {"impasto": 3}}, b""),
    "truncated": lambda data, _: data[:-4],
    "longer": lambda data, _: data + bytes(4),
    "integers": lambda data, _: with_entry(data, "conv1_1.bias", dtype="I32"),
    "negative": lambda data, _: with_entry(data, "conv1_1.bias", shape=[-4]),
    "negative twice": lambda data, _: with_entry(data, "conv1_1.bias", shape=[-2, -2]),
    "words": lambda data, _: with_entry(data, "conv1_1.bias", shape=["4"]),
    "overlap": lambda data, _: with_entry(data, "conv1_1.bias", data_offsets=[4, 20]),
    "more": lambda data, _: with_entry(data, "conv1_1.bias", module="os"),
    "gap": lambda data, _: with_entry(data, "conv1_1.bias", shape=[3]),
    "no card": lambda _, network: network_file(network, metadata={"format": "pt"}),
    "no JSON card": lambda _, network: network_file(network, metadata={"impasto": "{"}),
    "deep card": lambda _, network: network_file(network, metadata={"impasto": "[" * 100_000}),
    "std": lambda _, network: network_file(network, card={"std": [0, 1, 1]}),
    "infinite": lambda _, network: network_file(network, card={"mean": [float("inf"), 1, 1]}),
    "param": lambda _, network: network_file(network, card={"architecture_params": {"a": float("nan")}}),
    "too small to show": lambda _, network: network_file(network, card={"input_size": 7}),
    "too large to show": lambda _, network: network_file(network, card={"input_size": 2049}),
    "too cold": lambda _, network: network_file(network, card={"temperature": 1e-300}),
    "too hot": lambda _, network: network_file(network, card={"temperature": 1001}),
    "no layers": lambda _, network: network_file(network, card={"layers": []}),
    "classes": lambda _, network: network_file(network, card={"classes": ["one"]}),
    "parameters": lambda _, network: network_file(network, card={"parameters": 7}),
    "no hash": lambda _, network: network_file(network, card={"sha256": None}),
    "hash": lambda _, network: network_file(network, card={"sha256": "0" * 64}),
    "missing": lambda _, network: network_file(network, weights=weights_with(network, conv1_2__weight=None)),
    "strange": lambda _, network: network_file(network, weights=weights_with(network, x=torch.ones(1))),
    "channels": lambda _, network: network_file(
        network, weights=weights_with(network, conv1_2__weight=torch.ones(4, 3, 3, 4))
    ),
    "bias": lambda _, network: network_file(
        network, weights=weights_with(network, conv1_2__bias=torch.ones(2, 2))
    ),
    "not finite": lambda _, network: network_file(
        network, weights=weights_with(network, conv1_1__bias=torch.full((4,), torch.inf))
    ),
}


@pytest.mark.medium
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_refused_says_why_and_leaves_nothing(
    client: TestClient, services: Services, network: Network, name: str
) -> None:
    answer = send(client, BROKEN[name](network_file(network), network))
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["field"]) == (422, "network_file_unusable", "file")
    assert "GET /v1/networks/{name}/export" in problem["detail"]
    assert list_networks(services.engine) == [] and stored(services) == []


@pytest.mark.medium
@pytest.mark.parametrize("number", [10**4200, -(10**4200)])
def test_long_numbers_are_refused(client: TestClient, network: Network, number: int) -> None:
    data = network_file(network)
    header, rest = parts(data)
    name = next(name for name in header if name.endswith("weight"))
    places = [{"shape": [number] * 8}, {"data_offsets": [number, number + 1]}]
    refused = [send(client, with_entry(data, name, **place)) for place in places]
    card = json.loads(header["__metadata__"]["impasto"])
    layer = {**card["layers"][1], "stride": number}
    for change in (
        {"parameters": number},
        {"input_size": number},
        {"layers": [card["layers"][0], layer, *card["layers"][2:]]},
        {"architecture_params": {**card["architecture_params"], "a": number}},
    ):
        header["__metadata__"]["impasto"] = json.dumps({**card, **change})
        refused.append(send(client, joined(header, rest)))
    for answer in refused:
        assert (answer.status_code, answer.json()["type"]) == (422, "network_file_unusable"), answer.text
        assert len(answer.content) < 2000


@pytest.mark.parametrize(
    ("card", "says"),
    [
        ({"architecture": "resnet9000"}, "no architecture 'resnet9000' here. Architectures: alexnet, "),
        ({"architecture_params": {"depth": 16, "girth": 2}}, "'vgg' has no param 'girth'. Its params: depth"),
        ({"architecture_params": {"classes": 6}}, "'vgg' needs the param 'depth'"),
    ],
)
def test_what_cannot_be_built_is_refused(
    client: TestClient, network: Network, card: dict[str, Any], says: str
) -> None:
    answer = send(client, network_file(network, card=card))
    assert (answer.status_code, answer.json()["field"]) == (422, "file") and says in answer.json()["detail"]


def test_how_it_was_trained_is_shown_and_goes_along(client: TestClient, network: Network) -> None:
    record = TrainingRecord(
        dataset="pets",
        dataset_sha256="1" * 64,
        split={"train": 7, "validation": 2, "test": 1},
        balance={"ant": 3, "bee": 4},
        params={"preset": "quick", "size": 64},
        seed=3,
        history=thinned([{"epoch": float(epoch), "loss": 1 / (epoch + 1)} for epoch in range(10_000)]),
        metrics={"test_accuracy": 0.75},
        version="0.1.0",
    )
    assert (len(record.history), record.history[0]["epoch"], record.history[-1]["epoch"]) == (300, 0, 9999)
    told = record.model_dump(mode="json")
    assert send(client, network_file(network, card={"training": told})).json()["training"] == told
    assert client.get("/v1/networks/small").json()["training"] == told
    copy = client.get("/v1/networks/small/export").content
    assert send(client, copy, name="copy").json()["training"] == told
    listed = {each["name"]: each for each in client.get("/v1/networks").json()["items"]}
    assert listed["copy"]["training"] == {**told, "history": [], "balance": {}, "params": {}}
    assert listed["palette"]["training"] is None
    broken = send(client, network_file(network, card={"training": {**told, "split": "half"}}), name="b")
    assert broken.status_code == 422 and "training.split" in broken.json()["detail"]


@pytest.mark.medium
def test_pages_have_every_network_once(client: TestClient, network: Network) -> None:
    data = network_file(network)
    for name in ("b", "a", "zz", "palette-2"):
        assert send(client, data, name=name).status_code == 201
    whole = client.get("/v1/networks").json()
    names = [each["name"] for each in whole["items"]]
    assert names[-4:] == ["a", "b", "palette-2", "zz"] and names[:-4] == [card.name for card in list_cards()]
    assert whole["next_cursor"] is None
    assert whole["bytes"] == sum(each["bytes"] or 0 for each in whole["items"]) == 4 * len(data)
    for limit in (1, 3, len(names) - 1, len(names)):
        seen: list[str] = []
        query: dict[str, Any] = {"limit": limit}
        while True:
            page = client.get("/v1/networks", params=query).json()
            seen += [each["name"] for each in page["items"]]
            assert len(page["items"]) <= limit and page["bytes"] == whole["bytes"]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == names
    # A network that is deleted between two pages loses no other.
    assert client.delete("/v1/networks/a").status_code == 204
    assert client.get("/v1/networks", params={"cursor": "a", "limit": 1}).json()["items"][0]["name"] == "b"
    sha256 = whole["items"][-1]["sha256"]
    page = client.get("/v1/networks", params={"sha256": sha256, "limit": 2}).json()
    assert [each["name"] for each in page["items"]] == ["b", "palette-2"] and page["next_cursor"]
    assert client.get("/v1/networks", params={"limit": 0}).status_code == 422


def test_of_two_with_the_same_weights_one_can_be_deleted_while_a_job_needs_them(
    client: TestClient, network: Network
) -> None:
    data = network_file(network)
    for name in ("one", "two"):
        send(client, data, name=name)
    job = client.post("/v1/class-visualization", json={"network": "one", "target": "bee"}).json()
    assert client.delete("/v1/networks/one").status_code == 204
    refused = client.delete("/v1/networks/two")
    assert (refused.status_code, refused.json()["type"]) == (409, "network_in_use")
    assert job["id"] in refused.json()["detail"]
    client.post(f"/v1/jobs/{job['id']}/cancel")
    assert client.delete("/v1/networks/two").status_code == 204


def test_two_layers_of_one_name(client: TestClient, network: Network) -> None:
    header, rest = parts(network_file(network))
    card = json.loads(header["__metadata__"]["impasto"])
    card["layers"].insert(1, card["layers"][0])
    header["__metadata__"]["impasto"] = json.dumps(card)
    assert "two layers of one name" in send(client, joined(header, rest)).json()["detail"]


def test_names(client: TestClient, services: Services, network: Network) -> None:
    data = network_file(network)
    for name in ("A", "-a", "a/b", "a b", "a" * 65, "ü", "a\n"):
        problem = send(client, data, name=name).json()
        assert (problem["status"], problem["field"]) == (422, "name"), name
    problem = send(client, data, name="palette").json()
    assert (problem["status"], problem["type"], problem["field"]) == (409, "network_name_reserved", "name")
    assert send(client, data).json()["name"] == "small"
    assert send(client, data).json()["type"] == "network_name_taken"
    assert len(stored(services)) == 1
    # The same weights under another name are a network of their own.
    assert send(client, data, name="b-1.0_").status_code == 201
    for name, status in (("small", 409), ("palette", 409), ("B", 422), ("c", 200)):
        assert client.patch("/v1/networks/b-1.0_", json={"name": name}).status_code == status, name
    assert client.patch("/v1/networks/c", json={"name": "c"}).status_code == 200
    assert client.patch("/v1/networks/b-1.0_", json={"name": "d"}).status_code == 404
    assert [each.card.name for each in list_networks(services.engine)] == ["c", "small"]


def test_an_edited_card_is_no_copy_to_those_who_need_the_network(
    client: TestClient, services: Services, network: Network
) -> None:
    data = network_file(network)
    send(client, data)
    header, rest = parts(data)
    card = json.loads(header["__metadata__"]["impasto"])
    card["mean"] = [0.1, 0.2, 0.3]
    header["__metadata__"]["impasto"] = json.dumps(card)
    send(client, joined(header, rest), name="edited")
    edited, small = list_networks(services.engine)
    assert small.sha256 == edited.sha256
    with pytest.raises(NetworkInUse):
        delete(services.engine, services.storage, small, lambda *_: ["a"])
    send(client, data, name="copy")
    with pytest.raises(NetworkInUse):
        delete(services.engine, services.storage, small, lambda *_: ["a"])
    delete(services.engine, services.storage, edited, users_of_network)
    delete(services.engine, services.storage, small, lambda *_: ["a"])
    assert [each.card.name for each in list_networks(services.engine)] == ["copy"]


def test_shipped_networks_stay(client: TestClient) -> None:
    for answer in (
        client.patch("/v1/networks/vgg19", json={"name": "x"}),
        client.delete("/v1/networks/palette"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "network_shipped")
        assert "under another name" in answer.json()["detail"]


def test_the_limit_of_a_network_is_its_own(settings: Settings, network: Network) -> None:
    data = network_file(network)
    small = {"max_request_bytes": 1000, "max_network_bytes": len(data) + 1000}
    with lent_app(settings.model_copy(update=small)) as app, TestClient(app) as client:
        assert client.post("/v1/images", files={"image": bytes(2000)}).status_code == 413
        assert send(client, data).status_code == 201
        assert send(client, bytes(len(data) + (1 << 17))).status_code == 413


@pytest.mark.server
@pytest.mark.parametrize("name", ["palette", "vgg19-random"])
def test_shipped_networks_are_exported(
    client: TestClient, services: Services, tmp_path: Any, name: str
) -> None:
    path = tmp_path / "exported.safetensors"
    answer = client.get(f"/v1/networks/{name}/export")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.safetensors"'
    assert len(answer.content) == int(answer.headers["Content-Length"])
    path.write_bytes(answer.content)
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["impasto"])
    shown = client.get(f"/v1/networks/{name}").json()
    assert card == {key: shown[key] for key in card}
    (kept,) = stored(services)
    assert client.get(f"/v1/networks/{name}/export").content == answer.content and stored(services) == [kept]
    copy = send(client, answer.content, name="copy")
    assert (copy.status_code, copy.json()["sha256"]) == (201, shown["sha256"])


@pytest.mark.medium
def test_what_was_not_downloaded_is_not_exported(client: TestClient) -> None:
    problem = client.get("/v1/networks/vgg19/export").json()
    assert (problem["status"], problem["type"]) == (409, "weights_not_here")
    assert "impasto weights pull vgg19" in problem["detail"]
    assert client.get("/v1/networks/vgg99/export").status_code == 404
