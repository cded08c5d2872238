"""Downloads or imports the weights that are not shipped, and converts them once for all jobs."""

import time
from collections.abc import Generator
from pathlib import Path

from app.kinds.pull_weights import PullWeightsParams
from app.networks import NetworkCard, get_card
from app.networks.download import POLL_SECONDS, Received, download
from app.networks.weights_folder import LocalWeights, local_weights, try_lock
from app.settings import WeightsFolder
from models.conversion import convert, read_state_dict
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState, map_steps


def pull(card: NetworkCard, folder: WeightsFolder) -> Generator[Received, None, LocalWeights]:
    """Download and convert the weights of a network, unless the published ones are here already.

    A consumer that stops keeps what was received, and the next pull resumes there. While another process
    downloads the same network, this one waits. Raises DownloadError, StorageFull.
    """
    if card.download is None:
        raise ValueError(f"network {card.name!r} needs no download")
    folder.path.mkdir(parents=True, exist_ok=True)
    with _lock_file(card, folder).open("w") as lock:
        while not try_lock(lock):
            yield Received(0, card.download.bytes, "another process downloads it")
            time.sleep(POLL_SECONDS)
        here = local_weights(folder.path, card.name)
        if here is not None and here.file_sha256.startswith(card.download.sha256_prefix):
            return here
        path = yield from download(card, folder)
        size = path.stat().st_size
        yield Received(size, size, "converting")
        here = _convert(card, path, folder)
        path.unlink()
        return here


def import_file(card: NetworkCard, path: Path, folder: WeightsFolder) -> LocalWeights:
    """Convert the weights in a file, replacing those that are here.

    Raises UnusableWeights, OSError; and BlockingIOError while another process downloads or imports them.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    with _lock_file(card, folder).open("w") as lock:
        if not try_lock(lock):
            raise BlockingIOError(f"the weights of {card.name} are being downloaded or imported already")
        return _convert(card, path, folder)


def _lock_file(card: NetworkCard, folder: WeightsFolder) -> Path:
    return folder.path / f".{card.name}.lock"


def _convert(card: NetworkCard, path: Path, folder: WeightsFolder) -> LocalWeights:
    prefix = "" if card.download is None else card.download.sha256_prefix
    state, sha256 = read_state_dict(path, prefix)
    published = sha256.startswith(prefix)
    source = card.source if published else f"Imported from {path.name}; who imported it knows its licence."
    return LocalWeights.model_validate(
        convert(card.name, state, folder.path, source=source, file_sha256=sha256)
    )


def pull_weights(
    params: PullWeightsParams,
    inputs: Inputs,
    network: None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Download and convert the weights that the params name; ``done`` and ``total`` are bytes.

    The bytes received are in the folder of weights, so a state is empty. Raises DownloadError, StorageFull.
    """
    del network, compute, resume
    card = get_card(params.network)

    def step(received: Received) -> Step:
        return Step(received.bytes, received.total, losses=dict, image=None, state=lambda: StepState({}, {}))

    here = yield from map_steps(pull(card, inputs.weights), step)
    result = {"network": here.network, "sha256": here.sha256, "file_sha256": here.file_sha256}
    return Outcome(result={**result, "layers": here.layers, "source": here.source})
