"""Masks of a style transfer: where each style is painted, where the content stays, and where it counts more.

Gatys, Ecker, Bethge, Hertzmann, Shechtman, "Controlling perceptual factors in neural style transfer", CVPR
2017, section 4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.errors import InputError, field_of
from app.kinds.proportions import problem_of_mask
from app.kinds.style_transfer import ResolvedStyleTransfer
from worker.contract.inputs import Inputs
from worker.losses.base import Loss
from worker.losses.regions import Region
from worker.losses.sources import Styles
from worker.media.pictures import Picture, resize
from worker.optim.color import luma
from worker.optim.pyramids import scales
from worker.optim.tiling.tiles import Tiling
from worker.optim.tiling.wrapping import resize_across, resize_wrapped

# How light black may be where a mask is transparent: its color on white and its transparency are reduced, and
# rounded to 8 bits, each by itself.
_ROUNDED = 1.5 / 255


@dataclass(frozen=True)
class Masks:
    """Masks of a picture to make, (1, 1, H, W) in [0, 1], none of them 0 everywhere.

    ``styles`` has the region of each style; empty: all of them count where it is ``painted``. Elsewhere the
    content stays; None: it is painted everywhere. ``emphasis`` says where the content counts more; None:
    everywhere the same. ``wrap``: those of a tile, which go on from each edge at the opposite one.
    """

    styles: Sequence[Tensor] = ()
    painted: Tensor | None = None
    emphasis: Tensor | None = None
    wrap: bool = False

    def at(self, height: int, width: int, device: torch.device) -> "Masks":
        """The same for a picture of another size."""

        def resized(mask: Tensor) -> Tensor:
            return _resized(mask.to(device), (height, width), self.wrap)

        return Masks(
            [resized(mask) for mask in self.styles],
            None if self.painted is None else resized(self.painted),
            None if self.emphasis is None else resized(self.emphasis),
            self.wrap,
        )

    def place_of_styles(self, shares: Sequence[float]) -> Tensor:
        """Where any style with a positive share is painted, (1, 1, H, W), if there are masks of styles."""
        counted = [mask for mask, share in zip(self.styles, shares, strict=True) if share > 0]
        return torch.stack(counted).sum(0).clamp_max(1)


NO_MASKS = Masks()


def load_masks(params: ResolvedStyleTransfer, inputs: Inputs, size: tuple[int, int]) -> Masks:
    """The masks of a job, of the size (height, width) of its result, on the CPU.

    Raises InputError that names the param if a mask has other proportions than the content, or is black.
    """
    content = inputs.picture("content")

    def load(field: str) -> list[Tensor]:
        opened = inputs.opened(field) if field in inputs else []
        fields = [field_of(field, place, len(opened)) for place in range(len(opened))]
        return [
            _load(each, own, content, size, params.tileable) for each, own in zip(opened, fields, strict=True)
        ]

    styles = load("style_masks")
    if styles:
        # Where masks overlap they share the place, which has no more of all styles than any other.
        shared = torch.stack(styles).sum(0).clamp_min(1)
        styles = [mask / shared for mask in styles]
    painted, emphasis = (next(iter(load(field)), None) for field in ("content_mask", "content_weight_map"))
    if painted is not None:
        for place, mask in enumerate(styles):
            styles[place] = mask * painted
            if not bool(styles[place].any()):
                raise InputError(
                    field_of("style_masks", place, len(styles)),
                    "Where this mask is light content_mask is black: nothing would be painted in this style. "
                    "Change one of them.",
                )
    return Masks(styles, painted, emphasis, params.tileable)


def laid_over(content: Tensor, painted: Tensor, wrap: bool = False) -> Callable[[Tensor], Tensor]:
    """What lays a painted picture (1, 3, h, w), of any size, over the content (1, 3, H, W).

    Where the mask ``painted`` is 1 or 0 the result is the one or the other exactly. Between, sRGB values are
    mixed, as picture editors mix layers. With ``wrap`` all are tiles.
    """
    how = resize_wrapped if wrap else scales.resize

    def laid(picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        mask = _resized(painted.to(picture), (height, width), wrap)
        below = how(content.to(picture), height, width)
        return mask * picture.detach() + (1 - mask) * below

    return laid


def losses_of_styles(
    make: Callable[[Styles], list[Loss]], styles: Styles, tiling: Tiling, masks: Masks
) -> list[Loss]:
    """The losses of styles that ``make`` makes, each counting where the ``masks`` say.

    With a mask for each style it has losses of its own, ``style.0.relu3_1`` for the first one, that weigh its
    share, in relation to the mean share, times the area of its region: per pixel that is as much as without
    masks.
    """
    if not masks.styles:
        if masks.painted is None:
            return make(styles)
        return make(_within(styles, Region(tiling, masks.painted)))
    found: list[Loss] = []
    for place, (picture, share, mask) in enumerate(
        zip(styles.pictures, styles.fractions, masks.styles, strict=True)
    ):
        if share > 0:
            own = replace(styles, pictures=[picture], shares=[1.0])
            losses = make(_within(own, Region(tiling, mask), share * len(masks.styles)))
            for loss in losses:
                loss.name = loss.name.replace("style.", f"style.{place}.", 1)
            found += losses
    return found


def _within(styles: Styles, region: Region, factor: float = 1.0) -> Styles:
    """Styles that count in a region alone, with ``factor`` times their weights for each of its pixels."""
    strength = factor * region.area
    layers = {layer: strength * weight for layer, weight in styles.layers.items()}
    return replace(styles, layers=layers, region=region)


def _resized(mask: Tensor, size: tuple[int, int], wrap: bool) -> Tensor:
    """A mask (1, 1, H, W) at another size, as :func:`resize` makes it; with ``wrap`` across its edges."""

    def how(mask: Tensor, height: int, width: int) -> Tensor:
        return resize(mask, (height, width))

    return resize_across(how, mask, *size) if wrap else resize(mask, size)


def _load(picture: Picture, field: str, content: Tensor, size: tuple[int, int], wrap: bool) -> Tensor:
    """A mask of the size (height, width) of the result. Raises InputError on ``field``."""
    mask = luma(picture.rgb)
    if picture.alpha is not None:
        # Over black instead of white, as a picture is where it is transparent.
        mask = mask - (1 - picture.alpha)
        mask = torch.where(mask > _ROUNDED, mask, 0)
    detail = problem_of_mask((mask.shape[-1], mask.shape[-2]), (content.shape[-1], content.shape[-2]))
    if detail is not None:
        raise InputError(field, detail)
    mask = _resized(mask.clamp(0, 1), size, wrap)
    if not bool(mask.any()):
        raise InputError(field, "The mask is black everywhere: leave it out, or make it light somewhere.")
    return mask
