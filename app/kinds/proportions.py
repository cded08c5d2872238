"""Whether a mask has the proportions of its picture."""

# How far the proportions of a mask may be from those of the content.
TOLERANCE = 0.03
# Pixels of a side that rounding may take from a small mask, or add.
ROUNDING = 1


def problem_of_mask(mask: tuple[int, int], content: tuple[int, int], most: int | None = None) -> str | None:
    """What is wrong with a mask of the content, by width and height in pixels as displayed; None: nothing.

    With ``most``, as it would be said of the two after their longer sides are reduced to so many pixels, as a
    job loads them.
    """
    (across, down), (width, height) = _reduced(mask, most), _reduced(content, most)
    off = min(abs(across - down * width / height), abs(down - across * height / width))
    if off <= ROUNDING or abs(across * height / (down * width) - 1) <= TOLERANCE:
        return None
    sizes = f"The mask has {mask[0]}×{mask[1]} pixels, the content {content[0]}×{content[1]}"
    return f"{sizes}, in other proportions: crop or stretch the mask to those of the content."


def _reduced(sides: tuple[int, int], most: int | None) -> tuple[int, int]:
    """Width and height of a picture that is loaded with so many pixels at most; it is not enlarged."""
    scale = 1.0 if most is None else min(1.0, most / max(sides))
    return max(1, round(sides[0] * scale)), max(1, round(sides[1] * scale))
