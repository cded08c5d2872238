"""Texture synthesis: a picture of any size with the Gram matrices of a texture.

Gatys, Ecker, Bethge, "Texture synthesis using convolutional neural networks", NeurIPS 2015: minimise

    L = L_style + gamma * V

from noise, with ``L_style`` a weighted sum of :class:`GramLoss` over layers, ``V`` the
:class:`TotalVariation` and ``gamma`` the param ``tv_weight``. Here coarse to fine, as in style transfer, and
from noise that has the texture's colors. A seamless picture is padded circularly, so that it has no edge.
"""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from app.errors import InputError
from app.kinds.style_presets import PRESETS
from app.kinds.texture_synthesis import COARSEST, ResolvedTextureSynthesis
from app.kinds.work import affordable_history, is_history_halved, scale_sides
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.stacks import StackedJob, StackSteps
from worker.contract.steps import Outcome, Steps, StepState
from worker.losses.gram import gram_losses
from worker.losses.loss_sum import LossSum
from worker.losses.sources import Styles
from worker.losses.total_variation import TotalVariation
from worker.optim.ladder import Ladder
from worker.optim.memory import require_memory
from worker.optim.optimizers.base import Optimizer
from worker.optim.optimizers.lbfgs import LBFGS
from worker.optim.pyramids.scales import fit, resize, share_steps
from worker.optim.randomness import noise_like
from worker.optim.tiling.beyond import Edge
from worker.optim.tiling.tiles import BUDGET, Tiling
from worker.optim.tiling.wrapping import enlarge_wrapped
from worker.synthesis.coarse_to_fine import CoarseToFine, steps_before
from worker.synthesis.needed_size import Size, as_loaded, smallest_size
from worker.synthesis.plan import Scale
from worker.synthesis.stacking import Run, alone, stacked

# The variant of the losses, and the margin of a picture that is not seamless, are those of style transfer.
STYLE = PRESETS["impasto"]


def texture_synthesis(
    params: ResolvedTextureSynthesis,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Make more of the texture ``image``, an evaluation of the loss a step.

    The losses of a step are weighted: they sum to ``total``.

    Raises InputError if the result or the texture is too small for the layers, ComputationError if the loss
    is not finite, or explodes, and going back does not help.
    """
    return (yield from alone(_weave(params, inputs, network, compute, resume)))


def texture_synthesis_jobs(
    jobs: Sequence[StackedJob[ResolvedTextureSynthesis]], network: Network, compute: Compute
) -> StackSteps:
    """The steps of several jobs, as :func:`texture_synthesis` makes them, evaluated together."""
    return stacked([_weave(job.params, job.inputs, network, compute, job.resume) for job in jobs], compute)


def _weave(
    params: ResolvedTextureSynthesis,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None,
) -> Run[Outcome]:
    texture = inputs.picture("image").to(compute.device)
    smallest = network.minimum_side(weighted_layers(params))
    plan = plan_texture(params, texture, smallest, inputs.sides("image")[0])
    largest = max((plan[-1].size, *plan[-1].style_sizes), key=lambda sides: sides[0] * sides[1])
    require_memory(network, weighted_layers(params), largest, params.size, compute)

    ladder = Ladder(network, compute, resume, step=steps_before(plan, resume))

    def loss(scale: Scale) -> LossSum:
        (source,) = scale.style_sizes
        of_source, budget = resize(texture, *source), ladder.spending.tile_bytes
        return texture_loss(params, ladder.network, of_source, scale.size, budget)

    def tilings(scale: Scale) -> list[Tiling]:
        (source,) = scale.style_sizes
        seen, budget = ladder.network, ladder.spending.tile_bytes
        return [_tiling(params, seen, scale.size, budget), _tiling(params, seen, source, budget, "reflect")]

    def optimizer(picture: Tensor, _: Optimizer | None) -> Optimizer:
        history = affordable_history(picture.nbytes, ladder.spending.history)
        return LBFGS(history, halved=is_history_halved(picture.nbytes))

    enlarge = partial(enlarge_wrapped, seed=params.seed) if params.seamless else resize
    descent = CoarseToFine(plan, loss, tilings, optimizer, ladder, enlarge=enlarge)
    start = noise_like(texture, *plan[0].size, params.seed).to(compute.device)
    picture = yield from descent.descend(start, resume)
    height, width = plan[-1].style_sizes[0]
    result = {**descent.result(), "texture": {"width": width, "height": height}}
    return Outcome({"image": picture.cpu()}, result)


def texture_loss(
    params: ResolvedTextureSynthesis, network: Network, texture: Tensor, size: Size, budget: int = BUDGET
) -> LossSum:
    """The weighted sum of a :class:`GramLoss` a layer and :class:`TotalVariation`, for pictures of ``size``.

    ``texture`` is (1, 3, H, W) in [0, 1], of any size; ``budget`` is the memory in bytes for the activations
    of a tile.
    """
    variant, margin = STYLE.variant, STYLE.margin
    layers = weighted_layers(params)
    tiling = _tiling(params, network, size, budget)
    losses = gram_losses(Styles(network, [texture], [1.0], layers, variant, margin=margin, budget=budget))
    if params.tv_weight > 0:
        losses.append(TotalVariation(params.tv_weight, variant, wrap=params.seamless))
    return LossSum(losses, tiling)


def _tiling(
    params: ResolvedTextureSynthesis, network: Network, size: Size, budget: int, edge: Edge | None = None
) -> Tiling:
    """The tiles of a picture with an ``edge``; None: of one to make."""
    edge = edge or ("wrap" if params.seamless else "reflect")
    layers = weighted_layers(params)
    return Tiling(*size, network, layers, margin=STYLE.margin, edge=edge, budget=budget, small=True)


def weighted_layers(params: ResolvedTextureSynthesis) -> dict[str, float]:
    """The layers whose losses count, with their weights."""
    return {layer: weight for layer, weight in params.layers.items() if weight > 0}


def plan_texture(
    params: ResolvedTextureSynthesis, texture: Tensor, smallest: int, file: Size | None = None
) -> list[Scale]:
    """The scales from coarse to fine, of a result and a texture that grow together.

    Scales at which one of them has a side below ``smallest`` pixels are left out. Raises InputError if that
    is so at the last, and names a size that works: ``file`` are the sides of the file, of which the texture
    is loaded reduced.
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
        height, width = texture.shape[-2:]
        raise _too_small(params, file or (height, width), long_side, smallest)
    shares = share_steps(params.steps, len(scales))
    return [Scale(*sizes, steps=share) for sizes, share in zip(scales, shares, strict=True) if share]


def _too_small(params: ResolvedTextureSynthesis, file: Size, long_side: int, smallest: int) -> InputError:
    height, width = params.result_size(params.size)
    if min(height, width) < smallest:
        field, shown = "size", f"The result is {width}×{height} px"
        works = smallest_size(params.size, lambda size: min(params.result_size(size)), smallest)
        other = "Choose another aspect, or layers nearer to the picture"
    else:

        def seen(side: int) -> Size:
            return fit(as_loaded(file, side), side)

        height, width = seen(long_side)
        field, shown = "source_size", f"The texture is resized to {width}×{height} px"
        works = smallest_size(long_side, lambda side: min(seen(side)), smallest)
        other = "Choose layers nearer to the picture, or a less narrow texture"
    remedy = "" if works is None else f", or set {field} to {works} at least"
    return InputError(
        field, f"{shown}, and the layers need {smallest} px on the short side. {other}{remedy}."
    )
