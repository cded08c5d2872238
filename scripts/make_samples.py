"""Makes the samples of the page: ``python scripts/make_samples.py``.

Needs scikit-image beside what is installed, for its photographs. The licences are in the samples' folder.
"""

from pathlib import Path

import torch
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from models.procedural import CLASSES, draw
from worker.media.pictures import to_image

FOLDER = Path(__file__).parents[1] / "app" / "web" / "static" / "samples"
SIDE = 448
QUALITY = 82

# Drawn classes, each with the seed that looks best.
DRAWN = {"butterfly": 1, "mushroom": 4, "planet": 3}


def save(image: Image.Image, name: str) -> None:
    """Write a picture as JPEG, its longer side SIDE pixels at most."""
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    image.convert("RGB").save(FOLDER / f"{name}.jpg", quality=QUALITY, optimize=True)


def main() -> None:
    """Write all samples."""
    FOLDER.mkdir(exist_ok=True)
    for name in ("chelsea", "coffee", "rocket"):
        save(Image.fromarray(getattr(data, name)()), name)
    for name in ("china", "flower"):
        save(Image.fromarray(load_sample_image(f"{name}.jpg")), name)
    for name, seed in DRAWN.items():
        picture = draw(torch.tensor([CLASSES.index(name)]), torch.tensor([seed]), 320)
        save(to_image(picture), f"drawn-{name}")


if __name__ == "__main__":
    main()
