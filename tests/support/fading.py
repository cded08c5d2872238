"""A kind of job that only tests know: a picture without its colors, and how bright it is."""

from pydantic import Field

from app.kinds.base import Params
from app.kinds.fields import PictureRef
from app.kinds.results.base import Result
from app.kinds.spec import KindSpec
from app.networks.catalogue import Catalogue
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState


class FadingParams(Params):
    """A picture without its colors."""

    image: PictureRef = Field(title="Picture", description="The picture.")
    strength: float | None = Field(
        None, ge=0, le=1, title="Strength", description="Share of the colors that is lost. Empty: all."
    )

    def resolve(self, catalogue: Catalogue) -> "ResolvedFading":
        """All of the colors, where the job does not say."""
        strength = 1.0 if self.strength is None else self.strength
        return self.resolved_as(ResolvedFading, {"strength": strength})


class ResolvedFading(FadingParams):
    """Resolved params."""

    strength: float


class FadingResult(Result):
    """Result of fading."""

    brightness: float = Field(description="Mean of the picture's values, 0 to 1.")


def fading(
    params: ResolvedFading, inputs: Inputs, network: None, compute: Compute, resume: StepState | None = None
) -> Steps:
    """Mix a picture with the mean of its channels."""
    picture = inputs.picture("image")
    made = picture.lerp(picture.mean(1, keepdim=True).expand_as(picture), params.strength)
    yield Step(1, 1, losses=dict, image=lambda: made, state=lambda: StepState({}, {}))
    return Outcome({"image": made}, {"brightness": float(made.mean())})


SPEC = KindSpec(
    name="fading",
    params=FadingParams,
    result=FadingResult,
    resolved=(ResolvedFading,),
    function="tests.support.fading:fading",
    lane="short",
    wait_seconds=60,
    title="Fading",
    summary="A picture without its colours.",
    submit_label="Fade",
    command="fading",
    primary_fields=("strength",),
    example={"strength": 0.5},
)
