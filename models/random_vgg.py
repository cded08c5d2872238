"""vgg19-random: VGG-19's convolutions at half width, with seeded He weights and unit activations.

Style transfer with random weights: He, Wang and Hopcroft, "A powerful generative model using random
weights for the deep image representation" (NeurIPS 2016). He weights: He, Zhang, Ren and Sun,
"Delving deep into rectifiers" (ICCV 2015), section 2.2.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.architectures.vgg import vgg_stack
from models.network import Network
from models.reference_pictures import reference_pictures
from models.rescale import gatys_factors, mean_activations, rescale

SEED = 19
FACTORS = Path(__file__).with_name("weights") / "vgg19-random-factors.safetensors"

# Mean and deviation of ImageNet's pictures, as all networks of torchvision use them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def vgg19_random() -> Network:
    """The network, with average pooling, rescaled by the factors that are shipped with it.

    The factors were computed once (``python -m models.random_vgg``), since the last bits of convolutions
    differ from CPU to CPU: so the weights and their hash are the same everywhere.
    """
    return rescale(he_vgg19(), load_file(FACTORS))


def random_factors() -> dict[str, Tensor]:
    """The factors, computed anew: float32 (channels,) by name of the convolution."""
    pictures = reference_pictures(count=16, side=192, seed=0)
    factors = gatys_factors(mean_activations(he_vgg19(), pictures))
    return {name: factor.float() for name, factor in factors.items()}


def he_vgg19() -> Network:
    """The network before rescaling."""
    network = Network(
        "vgg19-random",
        vgg_stack(19, width=0.5),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        source=f"Seeded random numbers (He et al. 2015, seed {SEED}), made by this project; Apache-2.0",
    )
    return network.with_weights(he_weights(network.stack, SEED)).with_pooling("average")


def he_weights(stack: nn.ModuleDict, seed: int) -> dict[str, Tensor]:
    """He-normal weights and zero biases for the convolutions of a stack, float32 by name.

    Each number is a sum of 12 uniform 16-bit integers, centred and scaled. That is close enough to normal
    (its fourth moment is 2.9, not 3) and bit-exact on every machine and in every version of NumPy. The normal
    numbers of NumPy's generators are neither: they use the C library's logarithm.
    """
    bits = np.random.PCG64(seed)
    weights: dict[str, Tensor] = {}
    for name, module in stack.items():
        if isinstance(module, nn.Conv2d):
            count = module.weight.numel()
            words = bits.random_raw(3 * count).astype("<u8", copy=False).view("<u2")
            total = words.reshape(12, count).sum(axis=0, dtype=np.int64) * 2 - 12 * 65535
            # A uniform integer of 0..n-1 has variance (n^2 - 1) / 12, and its double four times that.
            he = np.sqrt(2 / (module.in_channels * module.kernel_size[0] * module.kernel_size[1]))
            normal = total / np.sqrt(4.0 * (65536.0**2 - 1)) * he
            weights[f"{name}.weight"] = torch.from_numpy(normal.astype(np.float32)).view(module.weight.shape)
            weights[f"{name}.bias"] = torch.zeros(module.out_channels)
    return weights


if __name__ == "__main__":
    save_file(random_factors(), FACTORS)
