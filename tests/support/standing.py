"""A kind of job that only tests know: its steps have parts, and it stands still where it is told to."""

import ctypes
import time

from pydantic import Field

from app.kinds.base import Params
from app.kinds.results.base import Result
from app.kinds.spec import KindSpec
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.interludes import between_parts
from worker.contract.steps import Outcome, Step, Steps, StepState

STALL_SECONDS = 6.0


class StandingParams(Params):
    """Steps of some parts, before one of which it may stand still.

    Where it is ``holding`` it lets no other thread run as it stands still, and at the beginning of each part.
    """

    steps: int = Field(1, ge=1, title="Steps", description="Steps.")
    parts: int = Field(1, ge=1, title="Parts", description="Parts of each step.")
    part_seconds: float = Field(0.1, ge=0, title="Seconds", description="Seconds that a part takes.")
    still_at: int | None = Field(None, ge=0, title="Still at", description="The step that never ends.")
    holding: bool = Field(False, title="Holding", description="Whether other threads have to wait.")


class StandingResult(Result):
    """Result of standing."""

    steps: int = Field(description="Steps that were taken.")


def stand_still() -> None:
    """Never return."""
    while True:
        time.sleep(3600)


def hold(seconds: int) -> None:
    """Sleep as a call of C does that keeps Python's interpreter lock: no other thread runs."""
    ctypes.PyDLL(None).sleep(seconds)


def hold_still() -> None:
    """Never return, and let no other thread run."""
    while True:
        hold(3600)


def standing(
    params: StandingParams, inputs: Inputs, network: None, compute: Compute, resume: StepState | None = None
) -> Steps:
    """Take the steps."""
    begun = 0 if resume is None else int(resume.values["done"])
    for place in range(begun, params.steps):
        for _ in range(params.parts):
            if place == params.still_at:
                hold_still() if params.holding else stand_still()
            if params.holding:
                hold(round(params.part_seconds))
            time.sleep(params.part_seconds)
            between_parts()
        done = place + 1
        yield Step(
            done, params.steps, losses=dict, image=None, state=lambda done=done: StepState({}, {"done": done})
        )
    return Outcome(result={"steps": params.steps})


SPEC = KindSpec(
    name="standing",
    params=StandingParams,
    result=StandingResult,
    function="tests.support.standing:standing",
    lane="long",
    stall_seconds=STALL_SECONDS,
    title="Standing",
    summary="Steps that may stand still.",
    file_extensions=(),
)
