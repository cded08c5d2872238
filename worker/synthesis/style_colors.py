"""Whose colors a style transfer has: the pictures that are painted from, and what becomes of the result.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 5: colors are
matched before painting (5.2), or lightness alone is painted (5.1).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.kinds.style_presets import PRESETS
from app.kinds.style_transfer import ResolvedStyleTransfer
from worker.optim.color import grey, with_chroma_of, with_grey_like
from worker.optim.color_match import chroma_power, matched, with_chroma_within
from worker.optim.pyramids.scales import resize
from worker.optim.tiling.wrapping import made_periodic, resize_wrapped

Pictures = Mapping[str, Sequence[Tensor]]

# Params of pictures that lie where the result does.
PLACED = ("content", "init_image")


@dataclass(frozen=True)
class Coloring:
    """The ``pictures`` to paint from, by param, and how a picture so far becomes the result: ``finish``."""

    pictures: Pictures
    finish: Callable[[Tensor], Tensor]


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

    def with_colors_of_content(picture: Tensor) -> Tensor:
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
            return Coloring({**pictures, **recolored}, Tensor.detach)
        case "style":
            if how != "none":
                pictures = {**pictures, "content": [matched(content, styles, shares, how)]}
            if not PRESETS[params.preset].limits_chroma:
                return Coloring(pictures, Tensor.detach)
            powers = [share * chroma_power(style) for style, share in zip(styles, shares, strict=True)]
            limit = torch.stack(powers).sum(0) / sum(shares)
            return Coloring(pictures, lambda picture: with_chroma_within(picture, limit))
