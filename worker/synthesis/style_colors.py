"""Whose colors a style transfer has: the pictures that are painted from, and what becomes of the result.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 5: colors are
matched before painting (5.2), or lightness alone is painted (5.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from app.kinds.style_presets import PRESETS
from app.kinds.style_transfer import ResolvedStyleTransfer
from worker.optim.color import grey, with_chroma_of, with_grey_like
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
            apart = fields[-1] == "style"
            return Coloring(pictures, partial(_limited, powers=powers, shares=shares, apart=apart))


def _as_painted(picture: Tensor, masks: Masks = NO_MASKS) -> Tensor:
    del masks
    return picture.detach()


def _limited(
    picture: Tensor,
    masks: Masks = NO_MASKS,
    *,
    powers: Sequence[Tensor],
    shares: Sequence[float],
    apart: bool,
) -> Tensor:
    """A picture with no more chroma than the styles, whose :func:`chroma_power` is given with their shares.

    What a mask hides does not count. If styles are painted ``apart``, each limits its own region alone.
    """
    masks = masks.at(picture.shape[-2], picture.shape[-1], picture.device)
    painted = masks.painted
    if not apart or not masks.styles:
        limit = torch.stack([share * power for power, share in zip(powers, shares, strict=True)]).sum(0)
        return with_chroma_within(picture, limit / sum(shares), painted)
    used = [place for place, share in enumerate(shares) if share > 0]
    regions = [masks.styles[place] for place in used]
    # Those of the content's mask are multiplied by it.
    parts = regions if painted is None else [_part(region, painted) for region in regions]
    return with_chroma_in_regions(picture, [powers[place] for place in used], regions, parts)


def _part(region: Tensor, painted: Tensor) -> Tensor:
    """How much of what is painted belongs to a region, 0 to 1; 0 where nothing is."""
    return torch.where(painted > 0, region / painted, 0).clamp(0, 1)
