import pytest
import torch
from torch import nn

from models.architectures.palette import palette_stack
from models.batch_norm import fold_batch_norm, initialise, with_batch_norm
from models.network import Network


def trained_like(seed: int) -> nn.Sequential:
    """A model whose norms have statistics and affine maps of their own, channels that are off included."""
    model = initialise(with_batch_norm(palette_stack(classes=5)), seed)
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.1, 3, generator=generator)
            module.weight.data.uniform_(-0.5, 2, generator=generator)
            module.weight.data[0] = 0
            module.bias.data.normal_(generator=generator)
    return model.eval()


@pytest.mark.medium
def test_folded_network_computes_what_the_model_did() -> None:
    model = trained_like(1)
    network = Network("folded", palette_stack(classes=5), mean=(0, 0, 0), std=(1, 1, 1), source="test")
    network = network.with_weights(fold_batch_norm(model.state_dict()))
    pictures = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = model(pictures)
    torch.testing.assert_close(network.logits(pictures), expected, rtol=1e-4, atol=1e-4)


def test_every_convolution_has_its_norm_and_no_bias() -> None:
    model = with_batch_norm(palette_stack(classes=5))
    names = [name for name, _ in model.named_children()]
    assert names[:4] == ["conv1_1", "bn1_1", "relu1_1", "conv1_2"]
    assert names[-2:] == ["pool5", "logits"]
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model) == 16
    assert all(module.bias is None for module in model if isinstance(module, nn.Conv2d))
    # 9 weights for each pair of channels, two numbers for each norm's channel, and the last layer.
    pairs = 3 * 32 + 32**2 + 32 * 64 + 64**2 + 64 * 128 + 3 * 128**2 + 128 * 256 + 7 * 256**2
    norms = 2 * (2 * 32 + 2 * 64 + 4 * 128 + 8 * 256)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters == 9 * pairs + norms + 256 * 5 + 5


@pytest.mark.medium
def test_the_seed_decides_the_weights() -> None:
    first, again, other = (
        initialise(with_batch_norm(palette_stack(5)), seed).state_dict() for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1_1.weight"], other["conv1_1.weight"])
