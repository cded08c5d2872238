"""What an architecture has at most, so that a card from elsewhere cannot ask for a network without end."""

# ResNet-1202 was the deepest that He et al. 2016 trained.
MOST_LAYERS = 2000


def require_layers(count: int) -> None:
    """Check the number of layers that params ask for. Raises ValueError."""
    if count > MOST_LAYERS:
        raise ValueError(f"{count} layers are too many: the most are {MOST_LAYERS}")
