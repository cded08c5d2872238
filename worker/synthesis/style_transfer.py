"""Style transfer: the content of one picture in the style of others, by descent of Gatys' objective.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016; coarse to fine as
in Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 6.
"""

from torch import Tensor

from app.kinds.style_transfer import PRESETS, StyleTransferParams
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, State, Steps
from worker.optim.color import with_chroma_of
from worker.optim.noise import noise_picture
from worker.optim.optimizers.adam import Adam
from worker.optim.optimizers.base import Optimizer
from worker.optim.optimizers.lbfgs import LBFGS, affordable_history
from worker.optim.pyramids.scales import resize
from worker.synthesis.coarse_to_fine import CoarseToFine
from worker.synthesis.objective import StyleObjective, Weights
from worker.synthesis.plan import Scale, Size, plan_scales

# The params that are pictures.
PICTURES = ("content", "style", "init_image")


def style_transfer(
    params: StyleTransferParams,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: State | None = None,
) -> Steps:
    """Paint ``content`` in the style of ``style``, an evaluation of the loss a step.

    ``params`` are resolved; pictures are of any size;
    ``network`` is prepared for ``compute``; ``resume`` is the state of a step, to go on from there. The
    longer side of the result is ``params.size``. The losses of a step are weighted: they sum to ``total``.

    Raises InputError if a picture is too narrow for the layers or no loss has a weight, ComputationError if
    the loss is not finite, or explodes, and going back does not help.
    """
    run = _Run(params, inputs, network, compute)
    descent = CoarseToFine(run.plan, run.objective, run.solver, run.look)
    picture = yield from descent.descend(run.start(), resume)
    dtype = str(compute.dtype).removeprefix("torch.")
    return Outcome({"image": run.look(picture)}, {**descent.result(), "dtype": dtype})


class _Run:
    """What one run needs at every scale; ``content`` at the scale at work."""

    def __init__(
        self,
        params: StyleTransferParams,
        inputs: Inputs,
        network: Network,
        compute: Compute,
    ) -> None:
        self.params = params
        self.pictures = {name: inputs.pictures(name) for name in PICTURES if name in inputs}
        self.network = network
        self.compute = compute
        self.weights = Weights.of(params)
        self.plan = plan_scales(params, self.pictures, network, self.weights.layers)
        self.content = self._picture("content", self.plan[0].size)

    def start(self) -> Tensor:
        """The picture to start from, at the first scale."""
        height, width = self.plan[0].size
        match self.params.init:
            case "noise":
                deviation = PRESETS[self.params.preset].noise
                return noise_picture(height, width, self.params.seed, deviation).to(self.compute.device)
            case "image":
                return self._picture("init_image", (height, width))
            case _:
                return self.content

    def objective(self, scale: Scale) -> StyleObjective:
        """The objective of a scale, which is now the one at work."""
        self.content = self._picture("content", scale.size)
        styles = [self._picture("style", size, place) for place, size in enumerate(scale.style_sizes)]
        shares = self.params.style_weights or [1.0] * len(styles)
        return StyleObjective(self.network, self.content, styles, shares, self.weights)

    def solver(self, picture: Tensor) -> Optimizer:
        """The solver that was asked for, for pictures of a size."""
        return Adam() if self.params.optimizer == "adam" else LBFGS(affordable_history(picture))

    def look(self, picture: Tensor) -> Tensor:
        """A picture of the scale at work as it is shown: on the CPU, in the colours that were asked for."""
        if self.params.color == "content":
            picture = with_chroma_of(picture, self.content)
        return picture.to("cpu", copy=True)

    def _picture(self, field: str, size: Size, place: int = 0) -> Tensor:
        return resize(self.pictures[field][place].to(self.compute.device), *size)
