"""The scales of a style transfer, and the sizes of all pictures at each."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from app.errors import InputError
from app.kinds.style_presets import PRESETS
from app.kinds.style_transfer import ResolvedStyleTransfer
from app.kinds.work import scale_sides
from models.network import Network
from worker.optim.pyramids.scales import fit, share_steps
from worker.synthesis.needed_size import Size, as_loaded, smallest_size


@dataclass(frozen=True)
class Scale:
    """One scale of the pyramid: sizes of the result and of the style pictures, and its number of steps."""

    size: Size
    style_sizes: tuple[Size, ...]
    steps: int
    fine_size: Size | None = None


def plan_scales(
    params: ResolvedStyleTransfer,
    pictures: Mapping[str, Sequence[Tensor]],
    network: Network,
    layers: Collection[str],
    files: Mapping[str, Sequence[Size]] | None = None,
) -> list[Scale]:
    """The scales from coarse to fine, up to ``params.size``; they share ``params.steps``.

    Scales at which a picture is too narrow for the layers are left out. Raises InputError on ``size`` if the
    last one is, and names one that works: ``files`` are the sides of the files, of which pictures are loaded
    reduced.
    """
    smallest = network.minimum_side(layers)
    preset = PRESETS[params.preset]
    sides = [
        side
        for side in scale_sides(params.size, preset.coarsest)
        if _narrowest(params, pictures, side, smallest)[0] >= smallest
    ]
    if not sides:
        raise _too_small(params, pictures, smallest, files or {})
    shares = share_steps(params.steps, len(sides))
    return [
        _scale(params, pictures, side, smallest, share)
        for side, share in zip(sides, shares, strict=True)
        if share
    ]


def _scale(
    params: ResolvedStyleTransfer,
    pictures: Mapping[str, Sequence[Tensor]],
    side: int,
    smallest: int,
    steps: int = 0,
) -> Scale:
    """The scale whose result has ``side`` as its longer side; the fine style is as the first style."""
    (content,) = pictures["content"]
    scales = params.scales_of_styles()
    styles = [
        _style_size(params, style, scale, side, smallest)
        for style, scale in zip(pictures["style"], scales, strict=True)
    ]
    fine = [_style_size(params, each, scales[0], side, smallest) for each in pictures.get("fine_style", ())]
    return Scale(fit(content, side), tuple(styles), steps, fine[0] if fine else None)


def _style_size(
    params: ResolvedStyleTransfer, style: Tensor, style_scale: float, side: int, smallest: int
) -> Size:
    """The size of a style picture: ``style_scale`` times that of the result, but not enlarged without need.

    With ``params.style_size`` that is its longer side at the last scale, and in proportion at the others. An
    enlarged picture has the Gram matrices of a blurred one. It is enlarged by ``style_scale`` at most, which
    above 1 asks for larger strokes, or until its shorter side has the ``smallest`` pixels.
    """
    shortest, longest = sorted(style.shape[-2:])
    relative = style_scale if params.style_size is None else params.style_size / params.size
    asked = max(1, round(side * relative))
    kept = round(longest * max(1.0, style_scale))
    needed = math.ceil(smallest * longest / shortest)
    return fit(style, min(asked, max(kept, needed)))


def _narrowest(
    params: ResolvedStyleTransfer, pictures: Mapping[str, Sequence[Tensor]], side: int, smallest: int
) -> tuple[int, str]:
    """The shortest side in pixels of all pictures at the scale of ``side``, and which one that is."""
    scale = _scale(params, pictures, side, smallest)
    return min((min(scale.size), "the result"), _narrowest_style(scale))


def _narrowest_style(scale: Scale) -> tuple[int, str]:
    found = [(min(size), "a style picture") for size in scale.style_sizes]
    found += [(min(size), "the fine style") for size in (scale.fine_size,) if size]
    return min(found)


def _too_small(
    params: ResolvedStyleTransfer,
    pictures: Mapping[str, Sequence[Tensor]],
    smallest: int,
    files: Mapping[str, Sequence[Size]],
) -> InputError:
    shortest, whose = _narrowest(params, pictures, params.size, smallest)
    sides = {name: [(*each.shape[-2:],) for each in several] for name, several in pictures.items()} | {
        **files
    }

    def at(**changes: int) -> tuple[ResolvedStyleTransfer, dict[str, list[Tensor]]]:
        """Params with changes, and the pictures as they are loaded for these."""
        changed = params.model_copy(update=changes)
        return changed, {
            name: [as_loaded(each, changed.picture_side(name)) for each in several]
            for name, several in sides.items()
        }

    def of_all(size: int) -> int:
        return _narrowest(*at(size=size), size, smallest)[0]

    def of_styles(size: int) -> int:
        return _narrowest_style(_scale(*at(style_size=size), params.size, smallest))[0]

    if params.style_size is not None and whose != "the result":
        problem = f"Of {params.style_size} px, {whose} is only {shortest} px across"
        field, works = "style_size", smallest_size(params.style_size, of_styles, smallest)
    else:
        problem = f"At size {params.size} {whose} is only {shortest} px across"
        field, works = "size", smallest_size(params.size, of_all, smallest)
    remedy = (
        "Choose layers nearer to the picture, or a less narrow picture."
        if works is None
        else f"The smallest size that works is {works}."
    )
    return InputError(field, f"{problem}; the layers need {smallest} px. {remedy}")
