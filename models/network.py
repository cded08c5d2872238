"""A network as everything here sees it: named layers, own normalisation, provenance."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A named layer: one module of the stack, and how far it sees.

    ``kind`` is conv, relu, pool, fc, dropout or logits; ``stride`` and ``receptive_field`` are in
    pixels of the picture; a receptive field of 0 means all of it (beyond an adaptive pool).
    """

    name: str
    kind: str
    channels: int
    stride: int
    receptive_field: int
