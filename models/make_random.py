"""``python -m models.make_random`` computes the factors that vgg19-random is rescaled by."""

from safetensors.torch import save_file
from torch import Tensor

from models.random_vgg import FACTORS, he_vgg19
from models.reference_pictures import reference_pictures
from models.rescale import gatys_factors, mean_activations


def random_factors() -> dict[str, Tensor]:
    """The factors of vgg19-random, float32 (channels,) by name of the convolution."""
    pictures = reference_pictures(count=16, side=192, seed=0)
    factors = gatys_factors(mean_activations(he_vgg19(), pictures))
    return {name: factor.float() for name, factor in factors.items()}


if __name__ == "__main__":
    save_file(random_factors(), FACTORS)
