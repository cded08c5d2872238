"""What an architecture has at most, so that a card from elsewhere cannot ask for a network without end."""

# ResNet-1202 was the deepest that He et al. 2016 trained.
MOST_LAYERS = 2000


def require_layers(count: int, least: int = 1) -> None:
    """Check a number of layers that params ask for. Raises ValueError."""
    if not least <= count <= MOST_LAYERS:
        raise ValueError(f"a network has {least} to {MOST_LAYERS} such layers, and not {count}")
