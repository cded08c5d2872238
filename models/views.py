"""Views: a picture in other colors, of which a network makes features of its own.

A picture that is optimized for one network fits what is peculiar to that network. Its features of the
negative, or of exchanged colors, are peculiar in other ways, as if another network had made them.
"""

from collections.abc import Callable, Mapping

from torch import Tensor


def negative(pictures: Tensor) -> Tensor:
    """Pictures in [0, 1] with light and dark exchanged."""
    return 1 - pictures


def rotated(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) with green as red, blue as green and red as blue."""
    return pictures.roll(-1, dims=1)


def rotated_negative(pictures: Tensor) -> Tensor:
    """The :func:`negative` of :func:`rotated` pictures (N, 3, H, W)."""
    return negative(rotated(pictures))


VIEWS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "negative": negative,
    "rotated": rotated,
    "rotated_negative": rotated_negative,
}
"""The views by name, but for ``picture``, which is the picture as it is."""
