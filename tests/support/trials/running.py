"""Runs the small jobs that params are tried with, and says what came out of them."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from app.jobs.params import parse_params
from app.kinds import Params
from app.networks.card import NetworkCard
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support.architectures import CLASSES, SmallCatalogue, small_network
from tests.support.learning import colored, members_of
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Loaded, Member, Source
from worker.contract.steps import Outcome, StepState, Video, run_steps
from worker.media.clips import open_clip
from worker.media.pictures import Picture
from worker.media.videos import encode_frame, encode_video
from worker.networks.loading import NetworkLoader, Pooling, cards_for, further_networks, network_for
from worker.runtime.artifacts import encode
from worker.runtime.functions import steps_of

CPU = Compute(torch.device("cpu"))
# By artifact, or entry of the result: what tells it from another.
Made = dict[str, object]


class SmallLoader(NetworkLoader):
    """The small networks, and those that are shipped."""

    def prepared(self, name: str, pooling: Pooling | None, compute: Compute, **given: Any) -> Network:
        """A small network, or a shipped one."""
        if SHIPPED.find(name) is not None:
            return super().prepared(name, pooling, compute, **given)
        network = small_network(name)[0]
        network = network if pooling is None else network.with_pooling(pooling)
        return network.prepared(compute.device, compute.dtype)

    def card(self, name: str, sha256: str | None = None) -> NetworkCard:
        """Its card."""
        return small_network(name)[1] if SHIPPED.find(name) is None else super().card(name, sha256)


LOADER = SmallLoader()


def made(kind: str, asked: dict[str, Any]) -> Made:
    """What a job makes, of pictures, sets and networks by the names that they have here."""
    params = parse_params(kind, asked, SmallCatalogue())
    inputs = Inputs(
        {name: [*map(_source, references)] for name, references in params.pictures().items()},
        {name: _members(reference) for name, reference in params.datasets().items()},
        networks=further_networks(params, CPU, LOADER),
        cards=cards_for(params, LOADER),
    )
    return _told(params, run_steps(steps_of(params, inputs, network_for(params, CPU, LOADER), CPU)))


def _source(reference: str) -> Source:
    return Source(reference, lambda: _picture(reference))


@cache
def _picture(reference: str) -> Loaded:
    match reference:
        case "one" | "two" | "three":
            height, width, seed = {"one": (45, 60, 1), "two": (50, 40, 2), "three": (48, 64, 3)}[reference]
            return Picture(drawn(height, width, seed))
        case "small":
            # As large as what is made of the first at 32 px.
            return Picture(drawn(24, 32, 4))
        case "left" | "right":
            mask = torch.linspace(0, 1, 60).expand(1, 3, 45, 60)
            return Picture(1 - mask if reference == "left" else mask)
        case "clip":
            frames = [encode_frame(drawn(24, 32, seed)) for seed in range(3)]
            return open_clip(encode_video(Video(frames, 10, "webp")), "image")
    raise ValueError(f"no picture has the reference {reference!r}")


@cache
def _members(reference: str) -> Sequence[Member]:
    match reference:
        case "colored":
            return members_of(colored(30))
        case "photographs":
            return members_of([(drawn(9, 9, place), CLASSES[place % 3]) for place in range(30)])
        case "labelled" | "another":
            first = 0 if reference == "labelled" else 100
            return [_member(first + place, CLASSES[place % 2]) for place in range(24)]
        case "numbered":
            return [_member(place, str(place % 2)) for place in range(24)]
    raise ValueError(f"there is no set {reference!r}")


def _member(place: int, label: str) -> Member:
    shown = drawn(20, 24, place)
    return Member(Source("", lambda: Picture(shown)), label, f"{place}.png")


def _told(params: Params, outcome: Outcome) -> Made:
    found: Made = {f"image {name}": _hash(picture) for name, picture in outcome.images.items()}
    if "bit_depth" in type(params).model_fields:
        pictures = Outcome(images=outcome.images)
        files = list(encode(pictures, None, {}, params.picture_file()))
        found |= {f"file {each.name}": (each.ending, _sha256(each.data)) for each in files}
    for name, video in outcome.videos.items():
        frames = [_sha256(frame) for frame in video.frames]
        found[f"video {name}"] = (frames, video.rate, video.format, video.hold, video.seconds)
    found |= {f"file {name}": (file.ending, _sha256(file.data)) for name, file in outcome.files.items()}
    found |= {f"state {name}": _tensors(state) for name, state in outcome.states.items()}
    if outcome.network is not None:
        weights = {name: _hash(weight) for name, weight in outcome.network.weights.items()}
        found["network"] = (outcome.network.card.name, weights)
    return found | {f"result {name}": json.dumps(each) for name, each in outcome.result.items()}


def _tensors(state: StepState) -> dict[str, str]:
    return {name: _hash(tensor) for name, tensor in state.tensors.items()}


def _hash(tensor: Tensor) -> str:
    return _sha256(tensor.contiguous().numpy().tobytes())


def _sha256(data: object) -> str:
    assert isinstance(data, bytes)
    return hashlib.sha256(data).hexdigest()
