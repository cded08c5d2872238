"""Counts of the literature and of the lecture's slides, and the slide that shows them."""

import csv
import io
import threading
from typing import Any

import pytest
import torch

from app.errors import InputError
from app.jobs import repository
from app.jobs.job import Job
from app.jobs.params import parse_params
from app.jobs.states import State
from app.networks import service
from app.networks.catalogue import SHIPPED, Catalogue
from models.geometry import Window
from models.layer_table import formula, network_table
from models.registry import build_skeleton
from tests.support.network_files import network_file, small_network
from tests.support.worker_context import submit
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, run_steps
from worker.networks.loading import NetworkLoader, network_for
from worker.runtime.context import WorkerContext
from worker.runtime.functions import steps_of
from worker.runtime.recipes import make_recipe
from worker.runtime.run_job import run_next

CPU = Compute(torch.device("cpu"))

# torchvision's: one tower, averaged to 6 x 6.
ALEXNET = (
    "CONV11x11-64/4p2floor-RELU-POOL3/2-CONV5-192p2-RELU-POOL3/2-CONV-384-RELU-CONV-256-RELU-CONV-256-RELU-"
    "POOL3/2-DROPOUT-FC-RELU-DROPOUT-FC-RELU-FC"
)
# Krizhevsky, Sutskever, Hinton 2012: 227 pixels fit; three of the convolutions have 2 groups.
ALEXNET_2012 = (
    "CONV11x11-96/4-RELU-LRN-POOL3/2-CONV5-256p2{g}-RELU-LRN-POOL3/2-CONV-384-RELU-CONV3-384p1{g}-RELU-"
    "CONV3-256p1{g}-RELU-POOL3/2-FC-RELU-FC-RELU-FC"
)


def outcome(**params: Any) -> Outcome:
    made = parse_params("architecture", params, SHIPPED)
    return run_steps(steps_of(made, Inputs(), network_for(made, CPU, NetworkLoader()), CPU))


def result(**params: Any) -> dict[str, Any]:
    return outcome(**params).result


def row(name: str, **params: Any) -> dict[str, Any]:
    (found,) = [each for each in result(**params)["table"] if each["layer"] == name]
    return found


@pytest.mark.parametrize(
    ("params", "parameters", "multiply_adds"),
    [
        ({"network": "vgg19"}, 143_667_240, 19_632_062_464),
        ({"network": "vgg16"}, 138_357_544, 15_470_264_320),
        # torchvision's GFLOPs: 0.349.
        ({"network": "squeezenet1_1"}, 1_235_496, 349_151_936),
        ({"layers": ALEXNET, "input": 224}, 61_100_840, 714_188_480),
        ({"layers": ALEXNET_2012.format(g="g2"), "input": 227}, 60_965_224, 724_406_816),
        ({"layers": ALEXNET_2012.format(g=""), "input": 227}, 62_378_344, 1_135_256_096),
        # LeNet-5 with dense connections.
        (
            {
                "layers": "CONV5-6p2-TANH-AVGPOOL-CONV5-16-TANH-AVGPOOL-CONV5-120-TANH-FC-84-TANH-FC-10",
                "input": [1, 28, 28],
            },
            61_706,
            416_520,
        ),
    ],
)
def test_networks_of_the_literature(params: dict[str, Any], parameters: int, multiply_adds: int) -> None:
    totals = result(**params)["totals"]
    assert (totals["parameters"], totals["multiply_adds"]) == (parameters, multiply_adds)


def test_ten_filters_of_the_slide() -> None:
    conv = row("conv1", layers="CONV5x5-10/1p2", input=32)
    assert (conv["output"], conv["parameters"]) == ([10, 32, 32], 760)
    assert conv["size"] == "(32 - 5 + 2*2) / 1 + 1 = 32"
    assert conv["multiply_adds"] == 750 * 32 * 32
    assert (conv["values"], conv["bytes"], conv["training_bytes"]) == (10_240, 40_960, 81_920)


def test_strides_of_the_slide() -> None:
    assert [row("conv1", layers=f"CONV3-1/{s}", input=7)["output"][1] for s in (1, 2)] == [5, 3]
    with pytest.raises(InputError) as caught:
        result(layers="CONV3-1/3", input=7)
    assert caught.value.field == "layers"
    assert caught.value.detail.startswith("conv1: (7 - 3) / 3 + 1 = 2.33..., so")
    assert "Strides that do: 1, 2;" in caught.value.detail

    for rounding, side in (("floor", 2), ("ceil", 3)):
        made = result(layers="CONV3-1/3", input=7, rounding=rounding)
        assert made["table"][0]["output"] == [1, side, side]
        (rounded,) = made["rounded"]
        assert (rounded["rounding"], rounded["result"]) == (rounding, side)
    # A layer's own rounding comes first.
    assert row("conv1", layers="CONV3-1/3ceil", input=7, rounding="floor")["output"] == [1, 3, 3]


def test_the_first_layer_of_alexnet() -> None:
    shared = row("conv1", layers="CONV11x11-96/4", input=227)
    assert (shared["output"], shared["parameters"]) == ([96, 55, 55], 34_944)
    assert row("conv1", layers="CONV11x11-96/4nobias", input=227)["parameters"] == 34_848
    unshared = row("local1", layers="LOCAL11x11-96/4", input=227)
    assert (unshared["values"], unshared["parameters"]) == (290_400, 105_705_600)
    assert unshared["multiply_adds"] == shared["multiply_adds"]


def test_locally_connected_against_fully_connected() -> None:
    shape = [1, 1000, 1000]
    assert row("fc1", layers="FC-1000000nobias", input=shape)["parameters"] == 10**12
    # A filter of 10 x 10 of its own for each of a million neurons, or a hundred that all share.
    local = row("local1", layers="LOCAL10-100/10nobias", input=shape)
    assert (local["values"], local["parameters"]) == (10**6, 10**8)
    assert row("conv1", layers="CONV10-100/10nobias", input=shape)["parameters"] == 10**4


@pytest.mark.parametrize("channels", [1, 64])
def test_three_small_filters_against_a_large_one(channels: int) -> None:
    shape = [channels, 32, 32]
    small = result(layers=f"CONV3-{channels}p1nobias*3", input=shape)
    large = result(layers=f"CONV7-{channels}p3nobias", input=shape)
    assert small["totals"]["parameters"] == 27 * channels**2
    assert large["totals"]["parameters"] == 49 * channels**2
    assert small["table"][-1]["receptive_field"] == large["table"][-1]["receptive_field"] == 7
    assert [each["receptive_field"] for each in small["table"]] == [3, 5, 7]


def test_a_bottleneck_against_a_wide_filter() -> None:
    bottleneck = "CONV1-32nobias-CONV3-32p1nobias-CONV1-64nobias"
    assert result(layers=bottleneck, input=[64, 8, 8])["totals"]["parameters"] == 3.25 * 64**2


def test_layers_without_windows() -> None:
    made = result(layers="CONV-8-BN-RELU-LRN-L2POOL-DROPOUT-GAP-FC-5-SOFTMAX", input=8)["table"]
    assert [each["parameters"] for each in made] == [224, 16, 0, 0, 0, 0, 0, 45, 0]
    assert [each["values"] for each in made] == [512, 512, 0, 512, 128, 0, 8, 5, 0]
    assert [each["output"] for each in made][-3:] == [[8], [5], [5]]
    assert [each["receptive_field"] for each in made] == [3, 3, 3, 3, 4, 4, None, None, None]
    assert [each["stride"] for each in made][3:6] == [1, 2, 2]


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("CONV9-3", "conv1: a window of 9 is larger than the 7 positions"),
        ("FC-3-CONV", "conv1 needs positions"),
        ("GAP-POOL", "pool1 needs positions"),
        ("CONV3-9g2", "2 groups do not divide the 3 channels of its input"),
        ("CONV3-10g3", "3 groups do not divide the 10 filters"),
        ("POOL", "(7 - 2) / 2 + 1 = 3.5, so"),
    ],
)
def test_layers_that_do_not_fit(layers: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        result(layers=layers, input=7)
    assert caught.value.field == "layers" and said in caught.value.detail


def test_a_picture_that_is_too_small_for_a_network() -> None:
    with pytest.raises(InputError) as caught:
        result(network="vgg19", input=16)
    assert caught.value.field == "input" and "at least 32 px" in caught.value.detail


def test_how_a_real_network_rounds() -> None:
    rounded = result(network="squeezenet1_1")["rounded"]
    assert [(each["layer"], each["rounding"], each["result"]) for each in rounded] == [
        ("conv1", "floor", 111)
    ]
    rounded = result(network="squeezenet1_1", input=226)["rounded"]
    assert [(each["layer"], each["rounding"]) for each in rounded] == [
        ("conv1", "floor"),
        ("pool1", "ceil"),
        ("pool3", "ceil"),
        ("pool5", "ceil"),
    ][: len(rounded)]
    assert any(each["rounding"] == "ceil" for each in rounded)


def test_a_block_counts_what_is_in_it() -> None:
    fire = row("fire2", network="squeezenet1_1")
    squeeze, small, large = 64 * 16, 16 * 64, 16 * 64 * 9
    assert fire["parameters"] == squeeze + 16 + small + 64 + large + 64
    assert fire["multiply_adds"] == (squeeze + small + large) * 55 * 55
    assert fire["values"] == (16 + 64 + 64) * 55 * 55


@pytest.mark.parametrize("name", SHIPPED.names())
def test_every_network_is_counted_without_its_weights(name: str) -> None:
    card = SHIPPED.find(name)
    assert card is not None
    network = build_skeleton(card)
    rows = network_table(network, 224, 224)
    assert sum(each.cost.parameters for each in rows) == card.parameters
    assert [(each.name, each.output[0]) for each in rows] == [
        (each.name, each.channels) for each in card.layers
    ]
    for each in rows:
        for fit in each.fits:
            assert fit.window.output_side(fit.side) == fit.result, fit


def test_formulas() -> None:
    assert formula(7, Window(3, 3, 0)) == "(7 - 3) / 3 + 1 = 2.33..."
    assert formula(6, Window(3, 2, 0)) == "(6 - 3) / 2 + 1 = 2.5"
    assert formula(224, Window(3, 2, 0, 1)) == "(224 - 3 + 1) / 2 + 1 = 112"
    assert formula(32, Window(5, 1, 2)) == "(32 - 5 + 2*2) / 1 + 1 = 32"


def test_memory_lies_early_and_parameters_late() -> None:
    made = result(network="vgg19")
    totals, table = made["totals"], made["table"]
    # The picture is kept too; two layers of 64 x 224 x 224 are there at once.
    assert totals["values"] == 3 * 224**2 + sum(each["values"] for each in table)
    assert totals["inference_bytes"] == 2 * 4 * 64 * 224**2
    assert totals["training_bytes"] == 8 * totals["values"] + 12 * totals["parameters"]
    connected = [each["parameters"] for each in table if each["kind"] in ("fc", "logits")]
    assert sum(connected) == 123_642_856


def test_files_and_figure() -> None:
    made = outcome(network="squeezenet1_1", input=128)
    rows = list(csv.DictReader(io.StringIO(made.files["table"].data.decode())))
    assert [each["layer"] for each in rows] == [each["layer"] for each in made.result["table"]]
    assert rows[0]["output"] == "64x63x63"
    lines = made.files["markdown"].data.decode().splitlines()
    assert len(lines) == len(rows) + 2 and {line.count("|") for line in lines} == {8}
    figure = made.images["image"]
    assert figure.shape[:2] == (1, 3) and 0 <= float(figure.min()) < 0.5 < float(figure.max()) <= 1


def test_its_recipe_names_a_network_without_weights() -> None:
    params = parse_params("architecture", {"network": "vgg19"}, SHIPPED)
    recipe = make_recipe(params, Inputs(), network_for(params, CPU, NetworkLoader()), CPU)
    assert recipe["network"] == {"name": "vgg19", "sha256": None}


def computed(context: WorkerContext, asked: dict[str, Any]) -> Job:
    """The job, once it has run."""
    job = submit(context, parse_params("architecture", asked, Catalogue(context.engine)))
    assert job.lane == "short" and run_next(context, ["short"], threading.Event())
    return repository.get_job(context.engine, job.id)


@pytest.mark.medium
def test_a_job_on_a_network_that_is_not_downloaded(context: WorkerContext) -> None:
    done = computed(context, {"network": "vgg16"})
    assert (done.state, done.error) == (State.SUCCEEDED, None)
    assert done.result is not None
    assert done.result["totals"]["parameters"] == 138_357_544
    assert done.result["recipe"]["network"] == {"name": "vgg16", "sha256": None}
    names = {artifact.name for artifact in repository.list_artifacts(context.engine, [done.id])[done.id]}
    assert names >= {"image", "table", "markdown", "recipe"}


@pytest.mark.medium
def test_a_job_on_an_imported_network(context: WorkerContext) -> None:
    data = network_file(small_network("small", 0))
    service.add_network(context.engine, context.storage, io.BytesIO(data), len(data), origin="trained")
    done = computed(context, {"network": "small"})
    assert (done.state, done.error) == (State.SUCCEEDED, None)
    assert done.result is not None
    assert done.result["totals"]["parameters"] == sum(each.numel() for each in small_network().parameters())


def test_a_job_whose_layers_do_not_fit_names_the_param(context: WorkerContext) -> None:
    asked = {"layers": "CONV3-1/3", "input": 7}
    done = computed(context, asked)
    assert done.state is State.FAILED and done.error is not None
    assert done.error["field"] == "layers" and "2.33..." in done.error["detail"]
