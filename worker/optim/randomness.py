"""Random numbers and noise that depend on the seed and the step alone, the same on every device."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def generator_from(seed: int) -> torch.Generator:
    """A generator on the CPU for a seed of 63 bits; below 2**32 it is torch's own of that seed."""
    return torch.Generator().manual_seed(fold_seed(seed))


def generator_at(seed: int, *place: int) -> torch.Generator:
    """A generator on the CPU for a seed and indices, such as a step and a view within it.

    A resumed run draws the same numbers as an uninterrupted one, and no picture of a batch depends on the
    others: there is no generator state to save, and none is shared.
    """
    return torch.Generator().manual_seed(_hashed(seed, *place))


def fold_seed(seed: int) -> int:
    """A seed of 63 bits as one of 32, which are all that torch's generator on the CPU uses.

    Seeds below 2**32 stay as they are. Larger ones are hashed, so that every bit matters: two of them, or one
    and a smaller seed, are the same to torch with probability 2**-32.
    """
    return seed if seed < 2**32 else _hashed(seed)


def seed_own(seed: int, device: torch.device) -> None:
    """Seed torch's own generators, on the CPU and the device, for what takes no other: dropout.

    ``torch.manual_seed`` also queues a call, with its stack, for each kind of device that is not there.
    """
    torch.default_generator.manual_seed(seed)
    match device.type:
        case "cuda":
            torch.cuda.manual_seed(seed)
        case "mps":
            torch.mps.manual_seed(seed)


def _hashed(*numbers: int) -> int:
    """A hash of 32 bits of integers, their number and their order."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    # What torch uses of a seed of 63 bits: its low 32. Older recipes hold.
    return (int.from_bytes(digest, "little") >> 1) & 0xFFFFFFFF


def normal(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers (N, *shape) on the CPU, each row from its own seed."""
    return torch.stack([torch.randn(shape, generator=generator_at(seed)) for seed in seeds])


def noise_picture(height: int, width: int, seed: int, deviation: float) -> Tensor:
    """Normal noise about mid-grey, (1, 3, height, width) float32 in [0, 1] on the CPU.

    ``deviation`` is its standard deviation before clamping.
    """
    generator = generator_from(seed)
    return (0.5 + deviation * torch.randn(1, 3, height, width, generator=generator)).clamp(0, 1)


def noise_like(picture: Tensor, height: int, width: int, seed: int) -> Tensor:
    """Normal noise with the colors of a picture (1, 3, H, W), drawn as in :func:`noise_picture`.

    Pixels are independent, (1, 3, height, width) float32 in [0, 1]; mean and covariance of RGB are the
    picture's, before clamping.
    """
    mean, root = _distribution(picture)
    drawn = root @ torch.randn(3, height * width, generator=generator_from(seed))
    return drawn.add_(mean).view(1, 3, height, width).clamp_(0, 1)


def _distribution(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (3, 1) and a root (3, 3) of the covariance of the colors of a picture, float32 on the CPU.

    As by ``torch.cov``, bit for bit, but in one float64 copy: sums in pieces would round otherwise, which
    turns the axes of a grey picture, and older recipes would give other pictures.
    """
    pixels = picture.detach()[0].flatten(1).cpu().to(torch.float64, copy=True)
    mean = pixels.mean(1, keepdim=True)
    pixels.sub_(mean)
    variances, axes = torch.linalg.eigh(pixels @ pixels.T / pixels.shape[1])
    return mean.float(), (axes * variances.clamp_min(0).sqrt()).float()
