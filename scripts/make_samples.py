"""Writes the pictures that the page offers to try: ``python scripts/make_samples.py [FOLDER]``.

Photographs are made smaller from those that scikit-image and scikit-learn install, which must be there; the
others are drawn. LICENSES.md in the folder says whose they are.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import torch
from PIL import Image

from models.procedural import CLASSES, draw
from worker.media.pictures import to_image

FOLDER = Path(__file__).parents[1] / "app" / "web" / "static" / "samples"
SIDE = 320
SOURCES = {
    "skimage": ("data", "chelsea.png", "coffee.png", "rocket.jpg"),
    "sklearn": ("datasets/images", "china.jpg", "flower.jpg"),
}
# Drawn classes, each with the seed of a picture that is easy to recognise.
DRAWN = {"butterfly": 1, "mushroom": 4, "planet": 3}


def write_samples(folder: Path) -> None:
    """Write each picture with a longer side of SIDE pixels as JPEG."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, (place, *names) in SOURCES.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            sys.exit(f"{package} is not installed: pip install scikit-image scikit-learn")
        for name in names:
            with Image.open(Path(spec.origin).parent / place / name) as picture:
                small = picture.convert("RGB")
                small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
                small.save(folder / f"{Path(name).stem}.jpg", quality=88, optimize=True)
    for name, seed in DRAWN.items():
        drawn = to_image(draw(torch.tensor([CLASSES.index(name)]), torch.tensor([seed]), SIDE))
        drawn.save(folder / f"drawn-{name}.jpg", quality=88, optimize=True)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
