"""A kind of job that only tests know: it makes a small network, as a training does, in a number of steps.

While there is the file that ``IMPASTO_TEST_DEADLY`` names, the process that runs such a job deletes it and
kills itself at the moment that its content names: "stored" or "registered".
"""

import os
import signal
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from pydantic import Field

from app.jobs import claims
from app.kinds.base import Params
from app.kinds.fields import NewNetworkName, Seed
from app.kinds.results.base import Result
from app.kinds.spec import KindSpec
from app.networks.training_record import TrainingRecord
from tests.support.network_files import PARAMS, small_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState
from worker.networks.keeping import Making, new_network
from worker.runtime import claimed_job

DEADLY = "IMPASTO_TEST_DEADLY"


class MemorizingParams(Params):
    """A network that is made at random."""

    name: NewNetworkName | None = None
    steps: int = Field(3, ge=1)
    pause: float = Field(0, ge=0, le=60, description="Seconds between steps.")
    seed: Seed = 0


def memorizing(
    params: MemorizingParams, inputs: Inputs, network: None, compute: Compute, resume: StepState | None = None
) -> Steps:
    """Make a network; its result says after how many steps."""
    done, finished = 0 if resume is None else resume.values["done"], False

    def finish() -> None:
        nonlocal finished
        finished = True

    while done < params.steps and not finished:
        time.sleep(params.pause)
        done += 1
        state = StepState({}, {"done": done})
        yield Step(
            done,
            params.steps,
            losses=lambda done=done: {"loss": 1 / done},  # type: ignore[misc]
            image=None,
            state=lambda state=state: state,  # type: ignore[misc]
            finish=finish,
        )
    made = small_network(params.name or "learned", params.seed)
    record = TrainingRecord(
        dataset="pets",
        dataset_sha256="0" * 64,
        split={"train": 6, "validation": 2, "test": 2},
        balance=dict.fromkeys(made.classes, 1),
        params=params.model_dump(mode="json"),
        seed=params.seed,
        history=[{"epoch": 1, "loss": 0.5}],
        metrics={"test_accuracy": 0.5},
        version="0.1.0",
    )
    making = Making(title="Small", summary="Of a test.", architecture="vgg", architecture_params=PARAMS)
    return Outcome(result={"steps": done}, network=new_network(made, making, record))


SPEC = KindSpec(
    name="memorizing",
    params=MemorizingParams,
    result=Result,
    function="tests.support.memorizing:memorizing",
    lane="short",
    can_finish=True,
    title="Memorizing",
    summary="A network that is made at random.",
    file_extensions=(),
)


def _deadly(moment: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose process dies when it returns, if that is the moment."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        made = function(*arguments, **options)
        path = Path(os.environ[DEADLY])
        if path.exists() and path.read_text() == moment:
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    return call


if DEADLY in os.environ:
    claimed_job.store_weights = _deadly("stored", claimed_job.store_weights)
    claims.finish = _deadly("registered", claims.finish)
