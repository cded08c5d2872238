"""Shapes painted over one another into one layer."""

import torch
from torch import Tensor

from models.procedural.fields import cover
from models.procedural.registry import Layer
from models.procedural.sheet import Sheet


class Stack:
    """Collects shapes from back to front; what they do not cover stays open."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._coverage = torch.zeros_like(sheet.x)
        # Multiplied by its coverage, so that edges take no colour from what is not there.
        self._painted = torch.zeros_like(sheet.x)[:, None].repeat(1, 3, 1, 1)

    def add(self, color: Tensor, distance: Tensor) -> None:
        """Paint a colour or a picture where a signed distance in units is negative."""
        self.glaze(color, cover(distance, self._sheet.pixel))

    def glaze(self, color: Tensor, coverage: Tensor) -> None:
        """Paint a colour or a picture by a coverage in [0, 1]."""
        self._painted = color * coverage[:, None] + self._painted * (1 - coverage[:, None])
        self._coverage = coverage + self._coverage * (1 - coverage)

    def shade(self, color: Tensor, amount: Tensor) -> None:
        """Colour only what is there already, by an amount in [0, 1]."""
        self._painted = self._painted + (color * self._coverage[:, None] - self._painted) * amount[:, None]

    def light(self, brightness: Tensor) -> None:
        """Multiply what is there; above 1 it turns lighter without leaving its colour."""
        covered = self._coverage[:, None]
        self._painted = torch.minimum(self._painted * brightness[:, None], covered)

    def layer(self) -> Layer:
        """The finished layer."""
        return Layer((self._painted / self._coverage.clamp_min(1e-3)[:, None]).clamp(0, 1), self._coverage)
