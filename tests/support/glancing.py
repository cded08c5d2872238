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
from app.kinds.results.base import Result
from app.kinds.spec import KindSpec
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.stacks import StackedJob, StackSteps
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
    jobs: Sequence[StackedJob[GlancingParams]], network: Network | None, compute: Compute
) -> StackSteps:
    """The logits of several pictures."""
    assert network is not None
    time.sleep(max(job.params.seconds for job in jobs))
    loaded: dict[int, Tensor] = {}
    for place, job in enumerate(jobs):
        try:
            picture = job.inputs.picture("image").to(compute.device)
            loaded[place] = interpolate(picture, (SIDE, SIDE), mode="bilinear", antialias=True)
        except ServiceError as error:
            yield place, error
    if not loaded:
        return
    # The logits, or what else comes last.
    layer = list(network.stack)[-1]
    with torch.no_grad():
        logits = network.features(torch.cat([*loaded.values()]), [layer])[layer].float().flatten(1).cpu()
    for place, own in zip(loaded, logits, strict=True):
        if (yield place, Step(1, 1, losses=dict, image=None, state=lambda: StepState({}, {}))):
            yield place, Outcome(result={"logits": own.tolist()})


def glancing(
    params: GlancingParams,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """The logits of one picture."""
    stack = glances([StackedJob(params, inputs, resume)], network, compute)
    _, made = next(stack)
    while isinstance(made, Step):
        yield made
        _, made = stack.send(True)
    if isinstance(made, Exception):
        raise made
    return made


SPEC = KindSpec(
    name="glancing",
    params=GlancingParams,
    result=Result,
    function="tests.support.glancing:glancing",
    stack_function="tests.support.glancing:glances",
    stacks_within="lane",
    lane="short",
    wait_seconds=10,
    title="Glancing",
    summary="The logits of a picture.",
    file_extensions=(),
)
