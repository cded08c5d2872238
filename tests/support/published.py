"""A file like those that torchvision publishes, with random numbers, and its pin in the network's card."""

import hashlib
import io
from functools import lru_cache

import pytest
import torch
from torch import nn

from app.networks import NetworkCard, catalogue, get_card
from app.networks.card import Download
from models import conversion
from models.torchvision_ops import import_torchvision

NAME = "squeezenet1_1"
FILE = "squeezenet1_1-b8a52dc0.pth"


@lru_cache
def random_squeezenet() -> nn.Module:
    """torchvision's SqueezeNet 1.1 with seeded weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: nn.Module = import_torchvision().models.squeezenet1_1(weights=None).eval()
    return network


@lru_cache
def published_file() -> bytes:
    """Its weights as torchvision has them: a pickled state dict of 5 MB."""
    file = io.BytesIO()
    torch.save(random_squeezenet().state_dict(), file)
    return file.getvalue()


def pin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> NetworkCard:
    """Let the card of SqueezeNet 1.1 name the hash of this file, under the published name; returns it."""
    prefix = hashlib.sha256(data).hexdigest()[:8]
    download = Download(file=FILE, bytes=len(data), sha256_prefix=prefix)
    card = get_card(NAME).model_copy(update={"download": download})
    cards = {**catalogue._cards(), NAME: card}
    monkeypatch.setattr(catalogue, "_cards", lambda: cards)
    # Measured on smaller pictures it is done sooner.
    monkeypatch.setattr(conversion, "SIDE", 48)
    return card
