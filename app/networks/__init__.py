"""Torch-free cards of networks: what may be asked of a network without loading it.

A card is generated from the network itself by ``python -m models.cards`` and committed as JSON under
``cards/``; a test compares the two.
"""

from app.networks.card import LayerCard, NetworkCard
from app.networks.catalogue import get_card, list_cards

__all__ = ["LayerCard", "NetworkCard", "get_card", "list_cards"]
