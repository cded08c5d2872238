"""A kind of job that only tests know: the logits of a network for a small picture, alone or in a batch."""

import time
from collections.abc import Mapping, Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from app.errors import ServiceError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import PictureRef
from app.kinds.spec import KindSpec
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState

SIDE = 64


class GlancingParams(Params):
    """The logits of a picture."""

    image: PictureRef = Field(title="Picture", description="The picture.")
    network: str = Field("palette", title="Network", description="The network.")
    seconds: float = Field(0.0, ge=0, title="Seconds", description="How long it takes at least.")

    def network_need(self) -> NetworkNeed:
        """The whole network."""
        return NetworkNeed(self.network)

    def picture_side(self, field: str) -> int:
        """All that is looked at."""
        return 4 * SIDE

    def stack_key(self, sides: Mapping[str, tuple[int, int]]) -> str:
        """Jobs with one network."""
        del sides
        return self.network


def glances(
    params: Sequence[GlancingParams], inputs: Sequence[Inputs], network: Network | None, compute: Compute
) -> list[Outcome | ServiceError]:
    """The logits of several pictures, and how many there were."""
    assert network is not None
    time.sleep(max(each.seconds for each in params))
    loaded: list[Tensor | ServiceError] = []
    for each in inputs:
        try:
            picture = each.picture("image").to(compute.device)
            loaded.append(interpolate(picture, (SIDE, SIDE), mode="bilinear", antialias=True))
        except ServiceError as error:
            loaded.append(error)
    pictures = [each for each in loaded if isinstance(each, Tensor)]
    if not pictures:
        return [each for each in loaded if isinstance(each, ServiceError)]
    # The logits, or what else comes last.
    layer = list(network.stack)[-1]
    with torch.no_grad():
        logits = iter(network.features(torch.cat(pictures), [layer])[layer].float().flatten(1).cpu())
    return [
        each if isinstance(each, ServiceError) else Outcome(result={"logits": next(logits).tolist()})
        for each in loaded
    ]


def glancing(
    params: GlancingParams,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """The logits of one picture."""
    (made,) = glances([params], [inputs], network, compute)
    if isinstance(made, ServiceError):
        raise made
    yield Step(1, 1, losses=dict, image=None, state=lambda: StepState({}, {}))
    return made


SPEC = KindSpec(
    name="glancing",
    params=GlancingParams,
    function="tests.support.glancing:glancing",
    stack_function="tests.support.glancing:glances",
    stacks_within="lane",
    lane="short",
    wait_seconds=10,
    title="Glancing",
    summary="The logits of a picture.",
    file_extensions=(),
)
