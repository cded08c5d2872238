"""The measurements of palette's model card, with random weights for comparison where that is meaningful."""

from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.class_visualization import ClassVisualizationParams
from app.kinds.feature_inversion import FeatureInversionParams
from app.networks.catalogue import SHIPPED
from models.architectures.vgg import vgg_stack
from models.network import Network
from models.procedural import CLASSES
from models.random_vgg import IMAGENET_MEAN, IMAGENET_STD, he_weights, vgg19_random
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.media.pictures import encode_png, load_picture
from worker.optim.pyramids.scales import fit, resize
from worker.synthesis.class_visualization import class_visualization
from worker.synthesis.feature_inversion import feature_inversion
from worker.training import evaluation
from worker.training.calibration import calibrate
from worker.training.evaluation import peak_signal_to_noise, step_seconds, texture_retrieval
from worker.training.palette import MEASURED_SIZE
from worker.training.style_curve import style_curve

PER_CLASS = 16
CALIBRATED = 4
TEXTURE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
RECONSTRUCTED_LAYERS = ("relu3_1", "relu4_2", "relu5_1")
RECONSTRUCTED_SIZE = 240
PAINTED_SIZE = 256
STYLE_WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0)

# As deep as those of the default preset, one of each stage, for the time of a step.
STEP_LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]


def accuracies(network: Network, compute: Compute) -> dict[str, object]:
    """Top-1 accuracies on new seeds of trained variants and on held-out ones; ``least_known`` classes."""
    classify = partial(_logits, network.prepared(compute.device, compute.dtype))
    found = evaluation.accuracies(classify, PER_CLASS, MEASURED_SIZE)
    least = evaluation.least_known(classify, PER_CLASS, MEASURED_SIZE)
    return {**vars(found), "pictures_each": PER_CLASS * len(CLASSES), "least_known": least}


def _logits(network: Network, pictures: Tensor) -> Tensor:
    """Logits, float32, of pictures at the size that the network classifies."""
    side = network.input_size or MEASURED_SIZE
    sized = F.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
    return network.logits(sized.to(network.device)).float()


def energies(network: Network) -> dict[str, float]:
    """The temperature and the energy threshold for the card, and what the threshold rejects."""
    return vars(calibrate(network, CALIBRATED))


def textures(network: Network) -> dict[str, float]:
    """Fractions of textures whose other half is found, by layer, with trained and random weights."""
    found = {}
    for name, each in (("trained", network), ("random", vgg19_random())):
        for layer in TEXTURE_LAYERS:
            found[f"{name}_{layer}"] = texture_retrieval(each, layer, per_class=4)
    return found


def reconstructions(network: Network, compute: Compute, output: Path | None) -> dict[str, float]:
    """PSNR in dB of reconstructed photographs by parametrization and layer, trained and random.

    The mean over scikit-learn's two photographs, china.jpg and flower.jpg, by `feature_inversion` with
    defaults otherwise.
    """
    found: dict[str, float] = {}
    photos = _photographs()
    for parametrization in ("fourier", "pixels"):
        for name, each in (("trained", network), ("random", vgg19_random())):
            prepared = each.prepared(compute.device, compute.dtype)
            params = FeatureInversionParams(
                image="photo",
                network=each.name,
                layers=list(RECONSTRUCTED_LAYERS),
                size=RECONSTRUCTED_SIZE,
                parametrization=parametrization,
            ).resolve(SHIPPED)
            totals = dict.fromkeys(RECONSTRUCTED_LAYERS, 0.0)
            for title, photo in photos.items():
                outcome = run_steps(
                    feature_inversion(params, Inputs.of({"image": [photo]}), prepared, compute)
                )
                for report in outcome.result["pictures"]:
                    picture = outcome.images[report["artifact"]]
                    totals[report["layer"]] += peak_signal_to_noise(picture, photo) / len(photos)
                _write(outcome.images["image"], output, f"reconstruction-{title}-{name}-{parametrization}")
            found |= {f"{name}_{parametrization}_{layer}": value for layer, value in totals.items()}
    return found


def _photographs() -> dict[str, Tensor]:
    from sklearn.datasets import load_sample_image

    photos = {}
    for title in ("china", "flower"):
        pixels = torch.from_numpy(load_sample_image(f"{title}.jpg").copy())
        photo = pixels.permute(2, 0, 1)[None].float() / 255
        photos[title] = resize(photo, *fit(photo, RECONSTRUCTED_SIZE))
    return photos


def speed(network: Network, compute: Compute) -> dict[str, float]:
    """Seconds of a gradient at the layers of style transfer, and the ratio to VGG-19 at full width."""
    full = Network("vgg19", vgg_stack(19), mean=IMAGENET_MEAN, std=IMAGENET_STD, source="random")
    full = full.with_weights(he_weights(full.stack, 0)).with_pooling("average")
    ours, theirs = (
        step_seconds(each.prepared(compute.device, compute.dtype), STEP_LAYERS, 256, repeats=8)
        for each in (network, full)
    )
    return {"palette_seconds": ours, "vgg19_seconds": theirs, "ratio": ours / theirs}


def visualized_classes(
    network: Network, second: Network, compute: Compute, output: Path | None, **params: Any
) -> dict[str, Any]:
    """The number of classes whose visualisations another network classifies as intended."""
    settings = ClassVisualizationParams(
        target=list(CLASSES), network=network.name, **{"preset": "yosinski-2015", **params}
    ).resolve(SHIPPED)
    prepared = network.prepared(compute.device, compute.dtype)
    outcome = run_steps(class_visualization(settings, Inputs(), prepared, compute))
    pictures = torch.cat([picture for key, picture in outcome.images.items() if key != "image"])
    with torch.no_grad():
        guessed = _logits(second, pictures).argmax(1).tolist()
    _write(outcome.images["image"], output, "classes")
    missed = {CLASSES[place]: CLASSES[guess] for place, guess in enumerate(guessed) if place != guess}
    return {"recognised": len(CLASSES) - len(missed), "of": len(CLASSES), "taken_for": missed}


def styles(
    network: Network, judge: Network, folder: Path, compute: Compute, output: Path | None
) -> dict[str, Any]:
    """Style and content distances of every photo in every style, by style weight, trained and random.

    ``folder`` has the folders ``photos`` and ``paintings``. Raises InputError if one of them has no pictures.
    """
    photos, paintings = _pictures(folder, "photos"), _pictures(folder, "paintings")
    found: dict[str, Any] = {}
    for name, each in (("trained", network), ("random", vgg19_random())):
        prepared = each.prepared(compute.device, compute.dtype)
        for photo, content in photos.items():
            for painting, style in paintings.items():
                key = f"{name} {photo} {painting}"
                curve = style_curve(
                    prepared, judge, content, style, STYLE_WEIGHTS, compute, size=PAINTED_SIZE
                )
                points = []
                for point in curve:
                    points.append([round(number, 4) for number in astuple(point.distances)])
                    _write(point.picture, output, f"{key} {point.style_weight:g}".replace(" ", "-"))
                found[key] = points
    return found


def _pictures(folder: Path, kind: str) -> dict[str, Tensor]:
    paths = sorted(path for path in (folder / kind).glob("*") if path.is_file())
    if not paths:
        raise InputError("pictures", f"{folder / kind} has no pictures: put some there.")
    return {path.stem: load_picture(path, "pictures").rgb for path in paths}


def _write(picture: Tensor, output: Path | None, name: str) -> None:
    if output is not None:
        (output / f"{name}.png").write_bytes(encode_png(picture))
