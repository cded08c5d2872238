"""Maps from the gradient of a score with respect to the picture.

- Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", ICLR workshop 2014, section 3: the
  gradient, of each pixel's three values the largest.
- Smilkov, Thorat, Kim, Viégas, Wattenberg, "SmoothGrad: removing noise by adding noise", 2017: its mean over
  noisy copies.
- Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", ICML 2017: its integral from a baseline.
- Springenberg et al. 2015 and Zeiler and Fergus 2014: with other backwards of the ReLU, see
  :mod:`models.relu`.

Pictures are (1, 3, H, W) in [0, 1]; gradients are by these values, before the network's normalization.
"""

from collections.abc import Mapping
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from models.relu import BackwardRule, relu_backward
from worker.optim.randomness import generator_at
from worker.understanding.aims import Aim
from worker.understanding.explanations import Explanation, Method


def gradient(aim: Aim, picture: Tensor, rule: BackwardRule | None = None) -> Method:
    """The gradient at the picture, or what a backward ``rule`` of the ReLUs makes of it."""

    def part(samples: range) -> dict[str, Tensor]:
        del samples
        with nullcontext() if rule is None else relu_backward(rule):
            return {"gradient": _gradients(aim, picture)}

    def finish(sums: Mapping[str, Tensor]) -> Explanation:
        found = sums["gradient"].cpu()
        return Explanation(_largest(found), "|gradient|", pattern=None if rule is None else found)

    return Method(1, part, finish)


def smooth_grad(aim: Aim, picture: Tensor, samples: int, noise: float, seed: int) -> Method:
    """The mean gradient of ``samples`` copies with normal noise, section 2.

    ``noise`` is its standard deviation as a share of the range of the picture's values.
    """

    def part(chosen: range) -> dict[str, Tensor]:
        gradients = _gradients(aim, noisy(picture, chosen, noise, seed))
        return {"gradient": gradients.sum(0, keepdim=True)}

    def finish(sums: Mapping[str, Tensor]) -> Explanation:
        return Explanation(_largest(sums["gradient"].cpu() / samples), "|mean gradient|")

    return Method(samples, part, finish)


def noisy(picture: Tensor, samples: range, noise: float, seed: int) -> Tensor:
    """Copies of a picture (1, 3, H, W) with noise of their own: sample 7 is the same in every batch."""
    spread = noise * (picture.amax() - picture.amin())
    drawn = torch.stack(
        [torch.randn(picture.shape[1:], generator=generator_at(seed, sample)) for sample in samples]
    )
    return picture + spread * drawn.to(picture)


def integrated_gradients(aim: Aim, picture: Tensor, baseline: Tensor, nodes: int) -> Method:
    """The gradient's mean on the way from a baseline, times the way, summed over colors (equation 1).

    Gauss-Legendre quadrature. The map sums to the difference between the scores of picture and baseline but
    for ``completeness_error``, a share of that difference (proposition 1).
    """
    shares, weights = gauss_legendre(nodes)
    way = picture - baseline

    def part(chosen: range) -> dict[str, Tensor]:
        some = slice(chosen.start, chosen.stop)
        alphas = shares[some].to(way).view(-1, 1, 1, 1)
        gradients = _gradients(aim, baseline + alphas * way)
        return {"gradient": (weights[some].to(way).view(-1, 1, 1, 1) * gradients).sum(0, keepdim=True)}

    def finish(sums: Mapping[str, Tensor]) -> Explanation:
        with torch.no_grad():
            ends = aim.values(torch.cat([picture, baseline])).cpu().double()
        attributed = (way * sums["gradient"]).cpu()
        difference, total = float(ends[0] - ends[1]), float(attributed.double().sum())
        error = abs(total - difference) / abs(difference) if difference else abs(total)
        numbers = {
            "score_difference": difference,
            "attributed": total,
            "completeness_error": error,
        }
        return Explanation(attributed.sum(1)[0], "for +, against −", signed=True, numbers=numbers)

    return Method(nodes, part, finish)


def gauss_legendre(nodes: int) -> tuple[Tensor, Tensor]:
    """Places in [0, 1] and weights, which sum to 1, of Gauss-Legendre quadrature, float64 (nodes,)."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    return torch.from_numpy((places + 1) / 2), torch.from_numpy(weights / weights.sum())


def _gradients(aim: Aim, pictures: Tensor) -> Tensor:
    """The gradient of the aim of each picture."""
    here = pictures.detach().requires_grad_()
    (found,) = torch.autograd.grad(aim.values(here).sum(), here)
    return found


def _largest(gradient: Tensor) -> Tensor:
    """Of each pixel the largest size of its three values, (1, 3, H, W) to (H, W); section 3.1 of Simonyan."""
    return gradient[0].abs().amax(0)
