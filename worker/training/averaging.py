"""A moving average of the weights of a network in training."""

import copy

import torch
from torch import nn


class WeightAverage:
    """A copy of a model whose weights, and statistics of batch norms, are a moving average of the model's.

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992), with an exponential
    decay. As in TensorFlow's ExponentialMovingAverage with ``num_updates``, the decay of step n is at most
    (1 + n) / (10 + n), so that the random weights of the beginning are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin with the model as it is."""
        self.model = copy.deepcopy(model).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        share = 1 - min(self._decay, (1 + step) / (10 + step))
        averages = self.model.state_dict()
        for name, new in model.state_dict().items():
            if new.dtype.is_floating_point:
                averages[name].lerp_(new, share)
            else:
                averages[name].copy_(new)
