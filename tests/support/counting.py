"""A kind of job that only tests know: how many members of a set have each label, and how bright they are."""

from collections import Counter

from pydantic import Field

from app.kinds.base import Params
from app.kinds.fields import DatasetRef
from app.kinds.results.base import Result
from app.kinds.spec import KindSpec
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState
from worker.media.pictures import Picture


class CountingParams(Params):
    """A set to be counted."""

    dataset: DatasetRef
    at_most: int = Field(1000, ge=1, title="At most", description="Members to look at.")


def counting(
    params: CountingParams, inputs: Inputs, network: None, compute: Compute, resume: StepState | None = None
) -> Steps:
    """Count the members by label; ``brightness`` is the mean of the pictures' means."""
    members = inputs.members("dataset")[: params.at_most]
    loaded = [member.source.load() for member in members]
    means = [float(picture.rgb.mean()) for picture in loaded if isinstance(picture, Picture)]
    yield Step(1, 1, losses=dict, image=None, state=lambda: StepState({}, {}))
    labels = Counter(str(member.label) for member in members)
    names = [member.name for member in members]
    return Outcome(result={"labels": labels, "names": names, "brightness": sum(means) / len(means)})


SPEC = KindSpec(
    name="counting",
    params=CountingParams,
    result=Result,
    function="tests.support.counting:counting",
    lane="short",
    title="Counting",
    summary="How many members of a set have each label.",
    command="counting",
    file_extensions=(),
)
