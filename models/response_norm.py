"""Local response normalization (Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep
convolutional neural networks", NIPS 2012, section 3.3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE, ALPHA, BETA, BIAS = 5, 1e-4, 0.75, 2.0


class ResponseNorm(nn.LocalResponseNorm):
    """x / (2 + 1e-4 * the sum of the squares of 5 neighbouring channels) ^ 0.75.

    Computed in float32 (or better), which torch's own is not on every device, and faster than it on a CPU.
    """

    def __init__(self) -> None:
        # torch's alpha is of the mean of the squares.
        super().__init__(SIZE, alpha=SIZE * ALPHA, beta=BETA, k=BIAS)

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to the same."""
        precise = input.to(torch.promote_types(input.dtype, torch.float32))
        squares = F.pad(precise.square(), (0, 0, 0, 0, SIZE // 2, SIZE // 2))
        channels = input.shape[1]
        near = squares[:, :channels].clone()
        for place in range(1, SIZE):
            near += squares[:, place : place + channels]
        return (precise * (BIAS + ALPHA * near) ** -BETA).to(input.dtype)
