"""Texture synthesis: a picture of any size whose features correlate as those of a texture do.

Gatys, Ecker, Bethge, "Texture synthesis using convolutional neural networks", NeurIPS 2015: the Gram matrices
alone, from noise. Here coarse to fine, as in style transfer, and from noise that has the texture's colors. A
tile that is to be seamless is looked at in the pattern that it makes, so that no edge is left to be seen.
"""

from torch import Tensor

from app.errors import InputError
from app.kinds.style_transfer import PRESETS
from app.kinds.texture_synthesis import TextureSynthesisParams
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, State, Steps
from worker.optim.noise import noise_like
from worker.optim.optimizers.base import Optimizer
from worker.optim.optimizers.lbfgs import LBFGS, affordable_history
from worker.optim.pyramids.scales import fit, resize, scale_sides, share_steps
from worker.optim.tiling.wrapping import resize_wrapped
from worker.synthesis.coarse_to_fine import CoarseToFine
from worker.synthesis.objective import StyleObjective, Weights
from worker.synthesis.plan import Scale, Size

# How the losses are computed, and the reflection around a picture that is no tile: as style transfer does.
STYLE = PRESETS["impasto"]

# Longer side in pixels of the smaller of texture and result at the first scale, or a little more. Where style
# transfer begins, at 90, bricks of 70 px stay pieces of bricks: a position of the deepest layer sees 68 px.
COARSEST = 40


def texture_synthesis(
    params: TextureSynthesisParams,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: State | None = None,
) -> Steps:
    """Make more of the texture ``image``, an evaluation of the loss a step.

    ``params`` are resolved; the texture is float32 RGB (1, 3, H, W) in [0, 1] of any size; ``network`` is
    prepared for ``compute``; ``resume`` is the state of a step, to go on from there. The losses of a step are
    weighted: they sum to ``total``.

    Raises InputError if the result or the texture is too small for the layers, ComputationError if the loss
    is not finite, or explodes, and going back does not help.
    """
    texture = inputs.picture("image").to(compute.device)
    layers = {name: weight for name, weight in (params.layers or {}).items() if weight > 0}
    weights = Weights({}, layers, params.tv_weight, STYLE.reduction, STYLE.margin, wrap=params.seamless)
    plan = plan_texture(params, texture, network.minimum_side(layers))

    def objective(scale: Scale) -> StyleObjective:
        (size,) = scale.style_sizes
        # There is no content but its size.
        blank = texture.new_zeros(1, 3, *scale.size)
        return StyleObjective(network, blank, [resize(texture, *size)], [1.0], weights)

    enlarge = resize_wrapped if params.seamless else resize
    descent = CoarseToFine(plan, objective, _solver, _look, enlarge)
    start = noise_like(texture, *plan[0].size, params.seed).to(compute.device)
    picture = yield from descent.descend(start, resume)
    height, width = plan[-1].style_sizes[0]
    result = {
        **descent.result(),
        "texture": {"width": width, "height": height},
        "dtype": str(compute.dtype).removeprefix("torch."),
    }
    return Outcome({"image": _look(picture)}, result)


def plan_texture(params: TextureSynthesisParams, texture: Tensor, smallest: int) -> list[Scale]:
    """The scales from coarse to fine, of a result and a texture that grow together.

    Scales at which one of them has a side below ``smallest`` pixels are left out; InputError if that is so at
    the last.
    """
    long_side = params.source_size or min(params.size, max(texture.shape[-2:]))
    smaller = min(params.size, long_side)
    scales = []
    for side in scale_sides(smaller, COARSEST):
        size = params.result_size(round(params.size * side / smaller))
        source = fit(texture, round(long_side * side / smaller))
        if min(*size, *source) >= smallest:
            scales.append((size, (source,)))
    if not scales:
        raise _too_small(params, fit(texture, long_side), smallest)
    shares = share_steps(params.steps, len(scales))
    return [Scale(*sizes, steps=share) for sizes, share in zip(scales, shares, strict=True) if share]


def _too_small(params: TextureSynthesisParams, source: Size, smallest: int) -> InputError:
    height, width = params.result_size(params.size)
    if min(height, width) < smallest:
        return InputError(
            "size",
            f"The result is {width}×{height} px, and the layers need {smallest} px on the short side: choose "
            "a larger size, another aspect, or layers nearer to the picture.",
        )
    height, width = source
    return InputError(
        "source_size",
        f"The texture is looked at with {width}×{height} px, and the layers need {smallest} px on the short "
        "side: choose more, or layers nearer to the picture.",
    )


def _solver(picture: Tensor) -> Optimizer:
    return LBFGS(affordable_history(picture))


def _look(picture: Tensor) -> Tensor:
    return picture.to("cpu", copy=True)
