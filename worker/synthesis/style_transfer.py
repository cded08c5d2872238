"""Style transfer: the content of one picture in the style of others.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016: minimise

    L = alpha * L_content + beta * L_style + gamma * V

where ``L_content`` and ``L_style`` are sums over layers, each with its weight, of the losses that the params
``content_loss`` and ``style_loss`` name (the paper's: squared distances of features and of Gram matrices),
and ``V`` is the :class:`TotalVariation`. ``alpha``, ``beta`` and ``gamma`` are the params ``content_weight``,
``style_weight`` and ``tv_weight``; :func:`style_transfer_loss` builds the sum. Coarse to fine as in Gatys et
al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 6, from where also comes
the ``fine_style``: fine texture of one picture and the larger forms of another.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor

from app.kinds.style_presets import PRESETS
from app.kinds.style_transfer import FINE_STRIDE, ResolvedStyleTransfer
from app.kinds.work import affordable_history, is_history_halved
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.stacks import StackedJob, StackSteps
from worker.contract.steps import Outcome, Steps, StepState
from worker.losses.base import Loss
from worker.losses.choices import CONTENT_LOSSES, STYLE_LOSSES
from worker.losses.loss_sum import LossSum
from worker.losses.sources import Content, Styles
from worker.losses.total_variation import TotalVariation
from worker.losses.view_sum import ViewSum
from worker.optim.ladder import Ladder
from worker.optim.memory import require_memory
from worker.optim.optimizers.adam import Adam
from worker.optim.optimizers.base import Optimizer
from worker.optim.optimizers.lbfgs import LBFGS
from worker.optim.optimizers.preconditioned_lbfgs import PreconditionedLBFGS
from worker.optim.pyramids.scales import resize
from worker.optim.randomness import noise_picture
from worker.optim.tiling.beyond import Edge
from worker.optim.tiling.tiles import BUDGET, Tiling
from worker.optim.tiling.wrapping import enlarge_wrapped, made_periodic, resize_wrapped
from worker.synthesis.coarse_to_fine import CoarseToFine, steps_before
from worker.synthesis.continuation import PARAM, continuation, kept_state
from worker.synthesis.needed_size import Size
from worker.synthesis.plan import Scale, plan_scales
from worker.synthesis.stacking import Run, alone, stacked
from worker.synthesis.style_colors import PLACED, StyleColors
from worker.synthesis.style_masks import NO_MASKS, Masks, laid_over, load_masks, losses_of_styles
from worker.synthesis.style_sources import StyleSources
from worker.synthesis.timelapse import Timelapse


def style_transfer(
    params: ResolvedStyleTransfer,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Paint ``content`` in the style of ``style``, one evaluation of the loss a step.

    The longer side of the result is ``params.size``. The losses of a step are weighted, and sum to ``total``.

    Raises InputError if a picture is too narrow for the layers, no loss has a weight or a mask does not fit,
    ComputationError if the loss is not finite, or explodes, and going back does not help.
    """
    return (yield from alone(_paint(params, inputs, network, compute, resume)))


def style_transfer_jobs(
    jobs: Sequence[StackedJob[ResolvedStyleTransfer]], network: Network, compute: Compute
) -> StackSteps:
    """The steps of several jobs, as :func:`style_transfer` makes them, evaluated together."""
    return stacked([_paint(job.params, job.inputs, network, compute, job.resume) for job in jobs], compute)


def _paint(
    params: ResolvedStyleTransfer,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None,
) -> Run[Outcome]:
    sources = StyleSources(params, inputs)
    content_layers, style_layers = weighted_layers(params)
    files = {name: inputs.sides(name) for name in ("content", "style", "fine_style") if name in inputs}
    plan = plan_scales(params, sources.pictures, network, {**content_layers, **style_layers}, files)
    earlier = continuation(params, inputs, network, next(iter(sources.pictures.get(PARAM, [])), None))
    if earlier is not None:
        plan = [replace(plan[-1], steps=params.steps)]
        earlier.require_size(plan[0].size)
    masks = load_masks(params, inputs, plan[-1].size)
    laid = _laid(params, inputs, masks)

    last = plan[-1]
    largest = max(
        (last.size, *last.style_sizes, last.fine_size or (0, 0)), key=lambda sides: sides[0] * sides[1]
    )
    require_memory(network, {**content_layers, **style_layers}, largest, params.size, compute)

    ladder = Ladder(network, compute, resume, step=steps_before(plan, resume))

    def resized(field: str, size: Size, index: int = 0) -> Tensor:
        how = resize_wrapped if params.tileable and field in PLACED else resize
        return how(sources.pictures[field][index].to(compute.device), *size)

    finish = sources.coloring.finish
    strength = params.color_strength()
    if strength > 0 and isinstance(finish, StyleColors):
        painted = (
            [resized("fine_style", last.fine_size)]
            if last.fine_size
            else [resized("style", size, index) for index, size in enumerate(last.style_sizes)]
        )
        finish = finish.towards(painted, strength, apart=bool(masks.styles))
        del painted

    def start() -> Tensor:
        size = plan[0].size
        match params.init:
            case "noise":
                deviation = PRESETS[params.preset].noise
                return noise_picture(*size, params.seed, deviation).to(compute.device)
            case "image":
                return resized("init_image", size)
            case _:
                return resized("content", size)

    def loss(scale: Scale) -> LossSum | ViewSum:
        styles = [resized("style", size, index) for index, size in enumerate(scale.style_sizes)]
        fine = resized("fine_style", scale.fine_size) if scale.fine_size else None
        content = resized("content", scale.size)
        if scale is last:
            sources.let_go()
        at_scale = masks.at(*scale.size, compute.device)
        budget = ladder.spending.tile_bytes
        return style_transfer_loss(params, ladder.network, content, styles, fine, budget, at_scale)

    def tilings(scale: Scale) -> list[Tiling]:
        seen, budget = ladder.network, ladder.spending.tile_bytes
        sizes = [*scale.style_sizes, *([scale.fine_size] if scale.fine_size else [])] if style_layers else []
        edge = PRESETS[params.preset].edge
        return [
            _tiling(params, seen, scale.size, budget),
            *(_tiling_of(params, seen, size, style_layers, edge, budget) for size in sizes),
        ]

    def shown(picture: Tensor) -> Tensor:
        return laid(finish(picture, masks))

    def optimizer(picture: Tensor, before: Optimizer | None) -> Optimizer:
        if params.optimizer == "adam":
            return Adam()
        history = affordable_history(picture.nbytes, ladder.spending.history)
        halved = is_history_halved(picture.nbytes)
        if params.optimizer == "lbfgs":
            return LBFGS(history, halved=halved)
        like = before if isinstance(before, PreconditionedLBFGS) else None
        return PreconditionedLBFGS(history, halved=halved, like=like)

    enlarge = partial(enlarge_wrapped, seed=params.seed) if params.tileable else resize
    keep = params.keep_state
    descent = CoarseToFine(plan, loss, tilings, optimizer, ladder, shown, enlarge, keep_last=keep)
    if earlier is None:
        run = descent.descend(start(), resume)
    else:
        run = descent.descend(earlier.picture.to(compute.device), resume, earlier.state)
    # The run alone holds what it begins with.
    del earlier
    timelapse = None
    if params.timelapse != "none":
        timelapse = Timelapse(params.timelapse, plan[-1].size, inputs.alpha("content"), resume)
        run = timelapse.record(run)
    picture = yield from run
    image = shown(picture).cpu()
    del picture
    videos = {} if timelapse is None else {"timelapse": timelapse.video(image)}
    states = {}
    if params.keep_state and descent.last is not None:
        states["state"] = kept_state(descent.last, params, inputs, network)
    return Outcome({"image": image}, descent.result(), videos, states=states)


def _laid(params: ResolvedStyleTransfer, inputs: Inputs, masks: Masks) -> Callable[[Tensor], Tensor]:
    """What lays a painted picture over the content, where that is to stay.

    Protected pixels are those of the content as it was sent, not as it was recolored.
    """
    if masks.painted is None:
        return Tensor.detach
    sent = inputs.picture("content")
    below = made_periodic(sent) if params.tileable else sent
    return laid_over(below, masks.painted, wrap=params.tileable)


def style_transfer_loss(
    params: ResolvedStyleTransfer,
    network: Network,
    content: Tensor,
    styles: Sequence[Tensor],
    fine: Tensor | None = None,
    budget: int = BUDGET,
    masks: Masks = NO_MASKS,
) -> LossSum | ViewSum:
    """``L`` for pictures of the size of ``content``; the preset says in which variant and with what margin.

    ``content`` is (1, 3, H, W) in [0, 1]; ``styles`` are of any size, blended by ``params.style_weights``.
    With ``fine``, of any size too, style layers of a stride of at most FINE_STRIDE have their targets from
    it, and the others from the styles. ``budget`` is the memory in bytes for the activations of a tile;
    ``masks`` are of the size of ``content``. The losses of style and content are means over the views of a
    picture of that size (``params.views_at``).
    """
    views, sums = params.views_at(max(content.shape[-2:])), list[LossSum]()
    share = 1 / len(views)
    for view in views:
        seen = network.of_view(view)
        losses, tiling = _losses_of_view(params, seen, share, content, styles, fine, budget, masks)
        if params.tv_weight > 0 and not sums:
            variant = PRESETS[params.preset].variant
            losses.append(TotalVariation(params.tv_weight, variant, wrap=params.tileable))
        sums.append(LossSum(losses, tiling))
    return sums[0] if len(sums) == 1 else ViewSum(sums)


def _losses_of_view(
    params: ResolvedStyleTransfer,
    network: Network,
    share: float,
    content: Tensor,
    styles: Sequence[Tensor],
    fine: Tensor | None,
    budget: int,
    masks: Masks,
) -> tuple[list[Loss], Tiling]:
    """The losses of content and style in one view, that of ``network``, times its ``share``; their tiles."""
    preset = PRESETS[params.preset]
    variant, margin, edge = preset.variant, preset.margin, preset.edge
    content_layers, style_layers = weighted_layers(params)
    height, width = content.shape[-2:]
    tiling = _tiling(params, network, (height, width), budget)
    losses: list[Loss] = []
    if params.content_loss is not None:
        weights = _scaled(content_layers, share * params.content_weight)
        of_content = Content(tiling, content, weights, variant, params.seed, emphasis=masks.emphasis)
        losses += CONTENT_LOSSES[params.content_loss](of_content)
    if params.style_loss is None:
        return losses, tiling
    style = STYLE_LOSSES[params.style_loss]
    beta = share * params.style_weight * (style.factor if variant == "relative" else 1.0)
    of_styles = Styles(
        network,
        styles,
        params.style_weights,
        _scaled(style_layers, beta),
        variant,
        params.seed,
        margin=margin,
        edge=edge,
        budget=budget,
    )
    if fine is not None:
        nearest = {name: w for name, w in of_styles.layers.items() if tiling.strides[name] <= FINE_STRIDE}
        deeper = {name: w for name, w in of_styles.layers.items() if name not in nearest}
        of_fine = replace(of_styles, pictures=[fine], shares=[1.0], layers=nearest)
        place = masks.place_of_styles(params.style_weights) if masks.styles else masks.painted
        losses += losses_of_styles(style.losses, of_fine, tiling, replace(masks, styles=(), painted=place))
        of_styles = replace(of_styles, layers=deeper, colors=False)
    losses += losses_of_styles(style.losses, of_styles, tiling, masks)
    return losses, tiling


def _tiling(params: ResolvedStyleTransfer, network: Network, size: Size, budget: int) -> Tiling:
    """The tiles of a picture to make."""
    content, style = weighted_layers(params)
    edge: Edge = "wrap" if params.tileable else PRESETS[params.preset].edge
    return _tiling_of(params, network, size, {**content, **style}, edge, budget)


def _tiling_of(
    params: ResolvedStyleTransfer,
    network: Network,
    size: Size,
    layers: Collection[str],
    edge: Edge,
    budget: int,
) -> Tiling:
    margin = PRESETS[params.preset].margin
    return Tiling(*size, network, layers, margin=margin, edge=edge, budget=budget, small=True)


def weighted_layers(params: ResolvedStyleTransfer) -> tuple[dict[str, float], dict[str, float]]:
    """The layers of content and of style whose losses count, with their weights among themselves."""
    content = _positive(params.content_layers or {}, params.content_weight)
    return content, _positive(params.style_layers or {}, params.style_weight)


def _positive(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    return {layer: w for layer, w in layers.items() if w * weight > 0}


def _scaled(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    return {layer: weight * w for layer, w in layers.items()}
