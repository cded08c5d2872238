import pytest
import torch
from torch import nn

from worker.training.triplets import class_means, nearest_mean, nearest_mean_layer


def test_means_of_classes_by_hand() -> None:
    embeddings = torch.tensor([[1.0, 0], [3.0, 2], [0.0, 4]])
    means = class_means(embeddings, torch.tensor([1, 1, 0]), 2)
    assert means.tolist() == [[0.0, 4.0], [2.0, 1.0]]


def test_a_class_without_pictures_has_no_mean() -> None:
    with pytest.raises(ValueError, match="class 1"):
        class_means(torch.zeros(2, 3), torch.tensor([0, 2]), 3)


def test_the_layer_ranks_classes_by_their_distance() -> None:
    torch.manual_seed(0)
    features, embed, means = torch.randn(20, 6), nn.Linear(6, 4), torch.randn(5, 4)
    embeddings = embed(features)
    distances = torch.cdist(embeddings, means).square()
    layer = nn.Linear(6, 5)
    weight, bias = nearest_mean_layer(embed.weight, embed.bias, means)
    layer.load_state_dict({"weight": weight.detach(), "bias": bias.detach()})
    logits = layer(features)
    torch.testing.assert_close(logits, nearest_mean(embeddings, means))
    # |e|^2 is the same for all classes, so the softmax of the logits is that of minus the distances.
    torch.testing.assert_close(logits.softmax(1), (-distances).softmax(1))
    assert logits.argmax(1).tolist() == distances.argmin(1).tolist()
