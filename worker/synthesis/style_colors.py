"""Whose colors a style transfer has: the pictures that are painted from, and what becomes of the result.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 5: colors are
matched before painting (5.2), or lightness alone is painted (5.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from app.kinds.style_presets import PRESETS
from app.kinds.style_transfer import ResolvedStyleTransfer
from worker.optim.color import grey, with_chroma_of, with_grey_like
from worker.optim.color_distribution import ColorTarget, with_colors_moved
from worker.optim.color_match import chroma_power, matched, with_chroma_in_regions, with_chroma_within
from worker.optim.pyramids.scales import resize
from worker.optim.tiling.wrapping import made_periodic, resize_wrapped
from worker.synthesis.style_masks import NO_MASKS, Masks

Pictures = Mapping[str, Sequence[Tensor]]

# Params of pictures that lie where the result does.
PLACED = ("content", "init_image")


class Finish(Protocol):
    """What makes a result of a picture (1, 3, H, W) in [0, 1] so far, painted with masks of any size."""

    def __call__(self, picture: Tensor, masks: Masks = NO_MASKS) -> Tensor: ...


@dataclass(frozen=True)
class Coloring:
    """The ``pictures`` to paint from, by param, and how a picture so far becomes the result: ``finish``."""

    pictures: Pictures
    finish: Finish


def coloring(params: ResolvedStyleTransfer, pictures: Pictures) -> Coloring:
    """What ``color`` and ``color_match`` ask for, of pictures (1, 3, H, W), sRGB in [0, 1].

    With ``tileable`` the pictures that are :data:`PLACED` are made periodic first.
    """
    if params.tileable:
        periodic = {name: [*map(made_periodic, pictures[name])] for name in PLACED if name in pictures}
        pictures = {**pictures, **periodic}
    (content,) = pictures["content"]
    fields = ("style", "fine_style") if "fine_style" in pictures else ("style",)
    # Colors are in the layers nearest to the picture.
    styles = pictures[fields[-1]]
    shares = params.style_weights if fields[-1] == "style" else [1.0]

    def with_colors_of_content(picture: Tensor, masks: Masks = NO_MASKS) -> Tensor:
        del masks
        how = resize_wrapped if params.tileable else resize
        return with_chroma_of(picture, how(content.to(picture.device), *picture.shape[-2:]))

    how = params.color_match
    match params.color:
        case "luminance":
            in_grey = {name: [grey(each) for each in several] for name, several in pictures.items()}
            for field in fields:
                in_grey[field] = [with_grey_like(style, content) for style in pictures[field]]
            return Coloring(in_grey, with_colors_of_content)
        case "content":
            if how == "none":
                return Coloring(pictures, with_colors_of_content)
            recolored = {
                field: [matched(style, [content], [1.0], how) for style in pictures[field]]
                for field in fields
            }
            return Coloring({**pictures, **recolored}, _as_painted)
        case "style":
            if how != "none":
                pictures = {**pictures, "content": [matched(content, styles, shares, how)]}
            if not PRESETS[params.preset].limits_chroma:
                return Coloring(pictures, _as_painted)
            powers = [chroma_power(style) for style in styles]
            # A fine style is painted in the regions of all styles.
            together = params.style_weights if fields[-1] == "fine_style" else None
            return Coloring(pictures, StyleColors(powers, shares, together, wrap=params.tileable))


def _as_painted(picture: Tensor, masks: Masks = NO_MASKS) -> Tensor:
    del masks
    return picture.detach()


@dataclass(frozen=True)
class StyleColors:
    """Gives a picture colors of the styles, and no more chroma than theirs.

    ``powers`` are the :func:`chroma_power` of the styles, with their ``shares``. What a mask hides does not
    count. Of masks of styles each style has its own region alone; or there is one style, for those of all
    that have the shares ``together``. Elsewhere the colors are left as they are. ``targets`` are the colors
    of each style, or without masks of styles the mixture of all, towards which a picture is moved by
    ``strength``; with ``wrap`` one that is tileable.
    """

    powers: Sequence[Tensor]
    shares: Sequence[float]
    together: Sequence[float] | None = None
    targets: Sequence[ColorTarget] = ()
    strength: float = 0.0
    wrap: bool = False

    def __call__(self, picture: Tensor, masks: Masks = NO_MASKS) -> Tensor:
        masks = masks.at(picture.shape[-2], picture.shape[-1], picture.device)
        regions, parts = self._regions(masks)
        out = None
        if self.targets:
            pairs = zip(self.targets, regions, strict=True)
            maps = [target.map_from(picture, region) for target, region in pairs]
            # Of which nobody else knows.
            picture = out = with_colors_moved(picture, maps, self.strength, parts, wrap=self.wrap)
        used = [power for power, share in zip(self.powers, self.shares, strict=True) if share > 0]
        if masks.styles:
            return with_chroma_in_regions(picture, used, regions, parts, out=out)
        weighted = [share * power for power, share in zip(self.powers, self.shares, strict=True)]
        limit = torch.stack(weighted).sum(0) / sum(self.shares)
        return with_chroma_within(picture, limit, masks.painted, out=out)

    def towards(self, styles: Sequence[Tensor], strength: float, *, apart: bool) -> "StyleColors":
        """The same with ``styles`` as the targets, in the size that they are painted in.

        They are ``apart`` if there are masks of styles.
        """
        counted = [(style, share) for style, share in zip(styles, self.shares, strict=True) if share > 0]
        groups = [[each] for each in counted] if apart else [counted]
        targets = [ColorTarget.of(*zip(*group, strict=True)) for group in groups]
        return replace(self, targets=targets, strength=strength)

    def _regions(self, masks: Masks) -> tuple[Sequence[Tensor | None], Sequence[Tensor]]:
        """The region of each style that has a share, and how much of each pixel is its part.

        Without masks of styles there is one, of what is painted; None: of all. It has no parts.
        """
        if not masks.styles:
            return [masks.painted], []
        if self.together is None:
            regions = [mask for mask, share in zip(masks.styles, self.shares, strict=True) if share > 0]
        else:
            regions = [masks.place_of_styles(self.together)]
        if masks.painted is None:
            return regions, regions
        # Those of the content's mask are multiplied by it.
        return regions, [_part(region, masks.painted) for region in regions]


def _part(region: Tensor, painted: Tensor) -> Tensor:
    """How much of what is painted belongs to a region, 0 to 1; 0 where nothing is."""
    return torch.where(painted > 0, region / painted, 0).clamp(0, 1)
