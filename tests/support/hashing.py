"""What other processes of a test compute; they import this alone."""

from pathlib import Path

from models.efficientnet import efficientnet_lite0


def efficientnet_hash(folder: Path) -> str:
    """The hash of efficientnet_lite0, whose weights are converted into a folder unless they are there."""
    return efficientnet_lite0(folder).sha256
