"""Color transfer: the chroma of one picture with the luma of another."""

import torch
from torch import Tensor

# Rec. 601 luma of gamma-coded RGB, as in YUV and JPEG's YCbCr.
LUMA = (0.299, 0.587, 0.114)


def luma(picture: Tensor) -> Tensor:
    """Luma, (N, 1, H, W) in [0, 1], of an RGB picture (N, 3, H, W) in [0, 1]."""
    weights = torch.tensor(LUMA, dtype=picture.dtype, device=picture.device).view(1, 3, 1, 1)
    return (picture * weights).sum(1, keepdim=True)


def with_chroma_of(picture: Tensor, colors: Tensor) -> Tensor:
    """The luma of ``picture`` with the chroma of ``colors``; both and the result are (N, 3, H, W) in [0, 1].

    Gatys, Bethge, Hertzmann, Shechtman, "Preserving color in neural artistic style transfer", 2016, section
    3.2: luminance-only transfer, applied to the result in YUV as in neural-style. Where luma and chroma
    together are outside the range of RGB, the chroma is reduced just enough. Clipping each channel instead
    would shift hue and luma, which is visible as blotches.
    """
    light = luma(picture)
    chroma = colors - luma(colors)
    room = torch.where(chroma > 0, 1 - light, light) / chroma.abs().clamp_min(1e-6)
    return (light + chroma * room.amin(1, keepdim=True).clamp(0, 1)).clamp(0, 1)
