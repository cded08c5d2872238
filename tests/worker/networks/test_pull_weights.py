"""From a mirror, or a file, to a network that can be loaded; and the job that does it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from app.errors import InputError
from app.jobs import repository
from app.jobs.errors import ParamsError
from app.jobs.job import Job
from app.jobs.params import parse_params
from app.jobs.states import State
from app.kinds.style_transfer import StyleTransferParams
from app.networks import NetworkCard, get_card
from app.networks.catalogue import SHIPPED
from app.networks.download import Received
from app.networks.errors import WeightsNotHere
from app.networks.shipped_files import shipped_file
from app.networks.uploads import check_weights, read_card
from app.networks.weights_folder import card_here, local_weights
from app.settings import Settings, WeightsFolder
from app.storage import make_storage
from models import conversion
from models.conversion import UnusableWeights
from models.network_files import load_weights, save_weights
from models.registry import load_network
from tests.support.mirror import Answer, Mirror, mirror
from tests.support.published import FILE, NAME, pin, published_file, random_squeezenet
from tests.support.worker_context import submit
from worker.contract.compute import Compute
from worker.networks import pull_weights as weights
from worker.networks.loading import NetworkLoader, network_for
from worker.networks.pull_weights import import_file, pull
from worker.runtime import run_job as runner
from worker.runtime.context import WorkerContext


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> NetworkCard:
    return pin(monkeypatch, published_file())


@pytest.fixture
def served(card: NetworkCard) -> Iterator[Mirror]:
    with mirror(published_file()) as found:
        yield found


@pytest.fixture
def folder(served: Mirror, tmp_path: Path) -> WeightsFolder:
    return WeightsFolder(tmp_path / "weights", served.url)


def names(folder: WeightsFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.medium
def test_what_is_pulled_classifies_as_torchvisions_does(card: NetworkCard, folder: WeightsFolder) -> None:
    steps = list(pull(card, folder))
    assert steps[-1].note == "converting"
    assert names(folder) == [f"{NAME}.safetensors"]
    network = load_network(NAME, folder=folder.path)
    picture = torch.rand(1, 3, 75, 60, generator=torch.Generator().manual_seed(1))
    expected = random_squeezenet()((picture - network.mean) / network.std)
    torch.testing.assert_close(network.logits(picture), expected, rtol=1e-4, atol=1e-5)
    assert network.classes == tuple(card.classes) and network.source == card.source
    here = card_here(card, folder.path)
    assert (here.sha256, here.layers, here.classes) == (network.sha256, card.layers, card.classes)


@pytest.mark.slow
@pytest.mark.server
def test_what_was_pulled_is_exported_whole(
    card: NetworkCard, folder: WeightsFolder, settings: Settings
) -> None:
    list(pull(card, folder))
    storage = make_storage(settings)
    key = shipped_file(storage, card, folder)
    with storage.open(key) as file:
        header, found = read_card(file, storage.size(key))
        check_weights(file, header, found)
    here = card_here(card, folder.path)
    assert (found.sha256, found.layers, found.classes) == (here.sha256, here.layers, here.classes)
    assert (found.architecture, found.parameters) == (card.architecture, card.parameters)
    assert shipped_file(storage, card, folder) == key
    # Other weights in their place are another file, which replaces the first.
    path = folder.path / f"{NAME}.safetensors"
    weights, about = load_weights(path)
    save_weights(path, weights, {**about, "source": "brought"})
    other = shipped_file(storage, card, folder)
    assert other != key
    with pytest.raises(FileNotFoundError):
        storage.open(key)
    save_weights(path, weights, {**about, "source": "damaged"})
    path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    with pytest.raises(WeightsNotHere, match=r"cannot be exported: .*damaged"):
        shipped_file(storage, card, folder)


@pytest.mark.medium
def test_what_is_here_is_not_pulled_again(card: NetworkCard, folder: WeightsFolder, served: Mirror) -> None:
    list(pull(card, folder))
    assert list(pull(card, folder)) == []
    assert len(served.asked) == 1


@pytest.mark.medium
def test_of_two_pulls_one_downloads(card: NetworkCard, folder: WeightsFolder, served: Mirror) -> None:
    seen: list[list[Received]] = [[], []]
    first = pull(card, folder)
    seen[0].append(next(first))  # it holds the lock
    other = threading.Thread(target=lambda: seen[1].extend(pull(card, folder)))
    other.start()
    while not seen[1]:
        pass
    seen[0].extend(first)
    other.join()
    assert len(served.asked) == 1
    assert {step.note for step in seen[1]} == {"another process downloads it"}
    assert local_weights(folder.path, NAME) is not None


@pytest.mark.medium
def test_a_pull_that_ended_before_the_conversion_asks_for_nothing_again(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    steps = pull(card, folder)
    for step in steps:
        if step.note == "converting":
            break
    steps.close()
    assert names(folder) == [FILE]
    list(pull(card, folder))
    assert (names(folder), len(served.asked)) == ([f"{NAME}.safetensors"], 1)


def test_a_cut_file_of_safetensors_is_imported_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(conversion, "SIDE", 48)
    vgg = get_card("vgg19")
    folder = WeightsFolder(tmp_path / "weights", "http://no-such-host.invalid")
    generator = torch.Generator().manual_seed(0)
    shapes = {"features.0": (64, 3, 3, 3), "features.2": (64, 64, 3, 3)}
    state = {f"{name}.weight": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    state |= {f"{name}.bias": torch.zeros(64) for name in shapes}
    save_file(state, tmp_path / "cut.safetensors")
    import_file(vgg, tmp_path / "cut.safetensors", folder)
    here = card_here(vgg, folder.path)
    assert [layer.name for layer in here.layers] == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"]
    assert here.classes == [] and here.source.startswith("Imported from cut.safetensors")

    compute = Compute(torch.device("cpu"))
    params = StyleTransferParams(content="a", style=["b"], network="vgg19").resolve(SHIPPED)
    with pytest.raises(
        InputError, match=r"no layer 'relu2_1' here.*file that ends before.*Layers: conv1_1"
    ) as caught:
        network_for(params, compute, NetworkLoader(folder))
    assert caught.value.field == "content_layers"
    shallow = {"content_layers": ["relu1_2"], "style_layers": ["relu1_1", "pool1"]}
    params = StyleTransferParams(content="a", style=["b"], network="vgg19", **shallow).resolve(SHIPPED)
    network = network_for(params, compute, NetworkLoader(folder))
    assert network is not None and network.layers[-1].name == "pool1"


def test_weights_of_a_published_file_that_was_brought_have_its_licence(
    card: NetworkCard, folder: WeightsFolder, tmp_path: Path
) -> None:
    (tmp_path / "brought.pth").write_bytes(published_file())
    assert import_file(card, tmp_path / "brought.pth", folder).source == card.source
    assert list(pull(card, folder)) == []
    (tmp_path / "other.pth").write_bytes(published_file()[::-1])
    with pytest.raises(UnusableWeights, match="No other pickled file is read"):
        import_file(card, tmp_path / "other.pth", folder)
    with (tmp_path / "weights" / f".{NAME}.lock").open("w") as lock:
        assert weights.try_lock(lock)
        with pytest.raises(BlockingIOError, match="being downloaded or imported"):
            import_file(card, tmp_path / "brought.pth", folder)


@pytest.mark.medium
def test_damaged_weights_count_as_none_and_say_so_when_used(
    card: NetworkCard, folder: WeightsFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.path.mkdir()
    path = folder.path / f"{NAME}.safetensors"
    for damage in (b"", b"\xff" * 100, b"\x02" + bytes(7) + b"{}", b"\x02" + bytes(7) + b"[]"):
        path.write_bytes(damage)
        assert local_weights(folder.path, NAME) is None
        assert card_here(card, folder.path).sha256 is None
    assert "not a file of weights written here" in caplog.text
    compute = Compute(torch.device("cpu"))
    layers = {"content_layers": ["fire3"], "style_layers": ["fire2"]}
    params = StyleTransferParams(content="a", style=["b"], network=NAME, **layers).resolve(SHIPPED)
    with pytest.raises(InputError, match=r"damaged.*weights pull"):
        network_for(params, compute, NetworkLoader(folder))
    # And pulling puts it right.
    list(pull(card, folder))
    assert network_for(params, compute, NetworkLoader(folder)) is network_for(
        params, compute, NetworkLoader(folder)
    )


@pytest.fixture
def context(context: WorkerContext, served: Mirror) -> WorkerContext:
    """A context that gets its weights from the mirror."""
    settings = context.settings.model_copy(update={"weights_mirror": served.url})
    return replace(context, settings=settings)


def queue(context: WorkerContext) -> None:
    submit(context, parse_params("pull_weights", {"network": NAME}, SHIPPED))


def run(context: WorkerContext, stop: threading.Event | None = None) -> Job:
    assert runner.run_next(context, ["long"], stop or threading.Event())
    return repository.list_jobs(context.engine, limit=1)[0]


@pytest.mark.medium
def test_a_job_pulls(context: WorkerContext) -> None:
    queue(context)
    job = run(context)
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    size = len(published_file())
    assert job.progress is not None and (job.progress["done"], job.progress["total"]) == (size, size)
    network = load_network(NAME, folder=context.settings.weights.path)
    assert job.result is not None and job.result["sha256"] == network.sha256


@pytest.mark.medium
def test_a_job_that_is_stopped_goes_on_from_what_has_come(context: WorkerContext, served: Mirror) -> None:
    queue(context)
    stop = threading.Event()
    stop.set()
    job = run(context, stop)
    assert (job.state, job.lost_attempts) == (State.QUEUED, 0)
    partial = context.settings.weights.path / f"{FILE}.partial"
    partial.write_bytes(published_file()[:1_000_000])
    assert run(context).state is State.SUCCEEDED
    assert served.asked[-1] == "bytes=1000000-"


def test_a_job_without_a_network_says_what_to_do(context: WorkerContext, served: Mirror) -> None:
    served.usual = Answer(status=404)
    queue(context)
    job = run(context)
    assert job.state is State.FAILED and job.error is not None
    assert (job.error["type"], job.error["title"]) == ("download", "The download failed")
    assert "answers 404" in job.error["detail"] and f"weights import {NAME} {FILE}" in job.error["detail"]


def test_a_network_that_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    params = StyleTransferParams(content="a", style=["b"], network="vgg19").resolve(SHIPPED)
    for folder in (None, WeightsFolder(tmp_path, "")):
        with pytest.raises(
            InputError, match="'vgg19' has not been downloaded: run `impasto weights pull"
        ) as caught:
            network_for(params, Compute(torch.device("cpu")), NetworkLoader(folder))
        assert caught.value.field == "network"


def test_what_is_warm_is_used_by_every_kind() -> None:
    compute = Compute(torch.device("cpu"))
    params = StyleTransferParams(content="a", style=["b"], network="vgg19-random").resolve(SHIPPED)
    assert network_for(params, compute, NetworkLoader()) is NetworkLoader().prepared(
        "vgg19-random", "average", compute
    )


def test_only_what_is_published_is_pulled() -> None:
    with pytest.raises(
        ParamsError, match=r"vgg19-random needs no download.*squeezenet1_1, vgg11, vgg13, vgg16, vgg19"
    ):
        parse_params("pull_weights", {"network": "vgg19-random"}, SHIPPED)
    with pytest.raises(ParamsError, match="There is no network 'vgg99'"):
        parse_params("pull_weights", {"network": "vgg99"}, SHIPPED)
