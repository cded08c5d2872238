"""Occlusion: its closed form, its edges, its files, and going on after an interruption."""

import csv
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.occlusion import ResolvedOcclusion, positions
from models.architectures.vgg import PooledLinear
from models.network import Network
from tests.support.networks import CLASSES, color_network, make_classifier
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, run_steps
from worker.understanding import incremental
from worker.understanding.incremental import Rectangle
from worker.understanding.occlusion import occlusion
from worker.understanding.occlusion_figure import Occluded, by_center
from worker.understanding.views import as_input

COMPUTE = Compute(torch.device("cpu"))
SIDE = 24


def params_of(**values: Any) -> ResolvedOcclusion:
    """Resolved params; the network is not that of the catalogue."""
    given = {"image": "i", "network": "palette", "size": SIDE, "window": 8, "stride": 5, **values}
    return ResolvedOcclusion.model_validate(given)


def run(network: Network, picture: Tensor, **values: Any) -> Outcome:
    inputs = Inputs.of({"image": [picture]})
    return run_steps(occlusion(params_of(**values), inputs, network, COMPUTE))


def drawn(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(3))


def rows_of(outcome: Outcome) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(outcome.files["map"].data.decode())))


def linear_network(side: int) -> Network:
    """Two classes, scores that are sums of pixels by weight: the second is always 0."""
    logits = PooledLinear(3, side, 2)
    with torch.no_grad():
        logits.weight.copy_(
            0.05 * torch.randn(logits.weight.shape, generator=torch.Generator().manual_seed(5))
        )
        logits.weight[1] = 0
        logits.bias.zero_()
    stack: dict[str, nn.Module] = {"logits": logits}
    classes = ("first", "second")
    return Network("linear", stack, mean=(0.5,) * 3, std=(0.5,) * 3, source="a test", classes=classes)


@pytest.mark.parametrize("fill", ["gray", "black", "white"])
def test_a_linear_model_has_its_closed_form(fill: str) -> None:
    network, picture = linear_network(SIDE), drawn(40, 30)
    view = as_input(picture, SIDE)
    outcome = run(network, picture, fill=fill, target="first")
    color = {"gray": 0.5, "black": 0.0, "white": 1.0}[fill]
    weights = network.stack["logits"].weight[0].view(3, SIDE, SIDE).double()
    contribution = weights * (view[0].double() - color) / 0.5
    score = float((weights * (view[0].double() - 0.5) / 0.5).sum())
    rows = rows_of(outcome)
    assert len(rows) == len(positions(SIDE, 8, 5)) ** 2
    total, count = torch.zeros(2, SIDE, SIDE, dtype=torch.float64)
    for row in rows:
        part = slice(int(row["top"]), int(row["top"]) + 8), slice(int(row["left"]), int(row["left"]) + 8)
        without = torch.tensor(score - float(contribution[:, part[0], part[1]].sum())).sigmoid()
        assert float(row["probability"]) == pytest.approx(float(without), abs=1e-5)
        total[part] += torch.tensor(score).sigmoid() - without
        count[part] += 1
    # Every pixel is hidden by some square.
    assert count.min() >= 1
    assert outcome.result["probability"] == pytest.approx(float(torch.tensor(score).sigmoid()), abs=1e-6)


def test_the_square_that_hides_the_only_red_makes_another_class_win() -> None:
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[:, 2] = 0.2
    picture[:, 0, 8:16, 0:8] = 1.0
    side = round(SIDE / 0.875)
    border = (side - SIDE) // 2
    framed = torch.nn.functional.pad(picture, (border, side - SIDE - border) * 2, mode="replicate")
    network = color_network().with_weights(
        {**color_network().stack.state_dict(), "logits.weight": 90 * (torch.eye(3) - 1 / 3)}
    )
    outcome = run(network, framed, stride=8, fill="black", target="red")
    result = outcome.result
    assert result["positions"] == 9
    assert (result["largest_drop"]["top"], result["largest_drop"]["left"]) == (8, 0)
    assert result["largest_drop"]["winner"] == "blue"


def test_a_square_that_shows_what_is_there_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    plan = incremental.IncrementalInference.plan

    def planned(self: Any, rectangles: Any, *args: Any) -> Any:
        computed.extend(rectangles)
        return plan(self, rectangles, *args)

    monkeypatch.setattr(incremental.IncrementalInference, "plan", planned)
    picture = torch.zeros(1, 3, SIDE, SIDE)
    outcome = run(make_classifier(), picture, fill="black")
    assert computed == []
    assert {float(row["drop"]) for row in rows_of(outcome)} == {0.0}
    assert outcome.result["changed"] == [] and outcome.result["changed_positions"] == 0


@pytest.mark.parametrize("fill", ["gray", "black", "white", "blur", "local-mean"])
def test_each_fill_computes_what_the_network_says_of_it(fill: str) -> None:
    network, picture = make_classifier(), drawn(30, 44)
    view = as_input(picture, SIDE)
    outcome = run(network, picture, fill=fill)
    row = rows_of(outcome)[6]
    top, left = int(row["top"]), int(row["left"])
    changed = view.clone()
    part = changed[..., top : top + 8, left : left + 8]
    match fill:
        case "gray":
            part[:] = network.mean
        case "black" | "white":
            part[:] = float(fill == "white")
        case "local-mean":
            part[:] = part.mean((2, 3), keepdim=True)
        case _:
            return
    index = outcome.result["index"]
    wanted = network.logits(changed).softmax(1)[0]
    assert float(row["probability"]) == pytest.approx(float(wanted[index]), abs=1e-5)
    assert row["winner"] == CLASSES[int(wanted.argmax())]


def test_a_blurred_square_of_a_plain_picture_changes_little() -> None:
    outcome = run(make_classifier(), torch.full((1, 3, SIDE, SIDE), 0.7), fill="blur")
    assert max(abs(float(row["drop"])) for row in rows_of(outcome)) < 1e-5


def test_the_drop_of_a_pixel_is_the_mean_over_the_squares_that_hide_it() -> None:
    squares = [Rectangle(top, left, 2, 2) for top in (0, 1) for left in (0, 1)]
    seen = Occluded(
        view=torch.zeros(1, 3, 3, 3),
        squares=squares,
        clean=torch.tensor([0.75, 0.25]),
        target=0,
        probabilities=torch.tensor([[0.75, 0.5], [0.25, 0.75]]),
        winners=torch.tensor([[0, 0], [1, 0]]),
        classes=("a", "b"),
    )
    wanted = torch.tensor([[0, 0.125, 0.25], [0.25, 0.1875, 0.125], [0.5, 0.25, 0]])
    assert torch.allclose(seen.mean_drop, wanted)
    assert (seen.largest, seen.changed) == (2, [2])
    # The pixel between two centers is the first's.
    assert by_center(seen, seen.winners).tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 0]]


def test_artifacts() -> None:
    outcome = run(make_classifier(), drawn(30, 44))
    assert list(outcome.images) == ["image", "view", "occlusion"]
    assert outcome.images["view"].shape == outcome.images["occlusion"].shape == (1, 3, SIDE, SIDE)
    for image in outcome.images.values():
        assert image.min() >= 0 and image.max() <= 1
    result = outcome.result
    assert result["class"] == result["top"][0]["class"] == CLASSES[result["index"]]
    assert result["largest_drop"]["probability"] == pytest.approx(result["lowest"])
    winners = [row["winner"] for row in rows_of(outcome)]
    assert result["changed_positions"] == sum(winner != result["class"] for winner in winners)


def test_a_run_that_goes_on_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "WORK", 1.0)
    network, picture = make_classifier(), drawn(30, 44)
    inputs = Inputs.of({"image": [picture]})
    states = []

    def keep(step: Step) -> None:
        states.append(step.state())
        assert step.image is not None and step.image().shape == (1, 3, SIDE, SIDE)

    whole = run_steps(occlusion(params_of(), inputs, network, COMPUTE), keep)
    assert len(states) >= 2
    for state in (states[0], states[-1]):
        again = run_steps(occlusion(params_of(), inputs, network, COMPUTE, state))
        assert again.files == whole.files and again.result == whole.result
        assert all(torch.equal(again.images[name], whole.images[name]) for name in whole.images)


def test_a_size_that_the_network_cannot_see_is_refused() -> None:
    picture = Inputs.of({"image": [drawn(30, 30)]})
    with pytest.raises(InputError, match="at least") as refused:
        run_steps(occlusion(params_of(size=2, window=1, stride=1), picture, make_classifier(), COMPUTE))
    assert refused.value.field == "size"
    little = Compute(torch.device("cpu"), picture_bytes=10_000)
    with pytest.raises(InputError, match="largest size that fits") as refused:
        run_steps(occlusion(params_of(), picture, make_classifier(), little))
    assert refused.value.field == "size"
