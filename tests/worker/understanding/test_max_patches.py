"""The strongest patches of a set: equal to brute force, resumed or not; projections by hand."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.max_patches import MaxPatchesParams, ResolvedMaxPatches
from app.networks.catalogue import SHIPPED
from models.network import Network
from models.relu import ReLU
from tests.support.networks import identity_network, make_classifier, silenced
from tests.support.sets import damaged_member, inputs_of, member_of
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Member
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.understanding.max_patches import Strongest, max_patches, project
from worker.understanding.patch_figure import Found
from worker.understanding.receptive_fields import PixelBox
from worker.understanding.views import as_input

NETWORK = make_classifier()
PICTURES = [drawn(30, 40, seed) for seed in range(40)]
MEMBERS = [member_of(picture, f"{place}.png") for place, picture in enumerate(PICTURES)]
CPU = Compute(torch.device("cpu"))


def run(
    network: Network, members: Sequence[Member], resume: StepState | None = None, **values: Any
) -> tuple[Outcome, list[tuple[Step, StepState]]]:
    given = {"dataset": "d", "layer": "relu2", "size": 32, "patches": 3, "limit": 4, **values}
    params = ResolvedMaxPatches.model_validate(given)
    seen: list[tuple[Step, StepState]] = []
    steps = max_patches(params, inputs_of(members), network, CPU, resume)
    return run_steps(steps, lambda step: seen.append((step, step.state()))), seen


def test_they_are_what_brute_force_finds() -> None:
    outcome, seen = run(NETWORK, MEMBERS, channels=[0, 3, 5])
    shown = torch.cat([as_input(picture, 32) for picture in PICTURES])
    maps = NETWORK.features(shown, ("relu2",))["relu2"]
    wanted = []
    for channel in (0, 3, 5):
        best = sorted(
            ((float(maps[n, channel].max()), n) for n in range(40)), key=lambda pair: (-pair[0], pair[1])
        )
        for value, place in best[:3]:
            y, x = divmod(int(maps[place, channel].argmax()), maps.shape[3])
            wanted.append((channel, f"{place}.png", pytest.approx(value, rel=1e-5), [y, x]))
    table = outcome.result["table"]
    found = [(row["channel"], row["picture"], row["activation"], row["position"]) for row in table]
    assert found == wanted
    assert [row["rank"] for row in table] == [1, 2, 3] * 3
    # relu2 sees 2 * 3 + 2 + 2 = 10 pixels, from 2 * y - 3 on.
    for row in table:
        y, x = row["position"]
        assert (row["top"], row["left"]) == (max(0, 2 * y - 3), max(0, 2 * x - 3))
        assert (row["bottom"], row["right"]) == (min(32, 2 * y + 5), min(32, 2 * x + 5))
    assert [step.done for step, _ in seen] == [16, 32, 40]


@pytest.mark.medium
def test_a_resumed_run_is_the_uninterrupted_one() -> None:
    members = [*MEMBERS[:5], damaged_member("bad.png"), *MEMBERS[5:]]
    whole, seen = run(NETWORK, members)
    for _, state in seen[:-1]:
        resumed, _ = run(NETWORK, members, from_bytes(to_bytes(state)))
        assert resumed.result == whole.result
        assert torch.equal(resumed.images["image"], whole.images["image"])
    assert whole.result["damaged"] == {
        "count": 1,
        "pictures": [{"name": "bad.png", "error": "bad.png is damaged."}],
    }
    assert whole.result["pictures"] == 40


def test_of_equals_the_first_are_kept_and_batches_do_not_matter() -> None:
    maps = torch.tensor([1.0, 3, 2, 3, 3, 0]).view(6, 1, 1, 1).expand(6, 2, 2, 2).contiguous()
    for size in (1, 2, 4, 6):
        strongest = Strongest.none(2, 4)
        for first in range(0, 6, size):
            strongest.add(maps[first : first + size], first)
        assert strongest.values.tolist() == [[3, 3, 3, 2]] * 2
        assert strongest.members.tolist() == [[1, 3, 4, 2]] * 2
        assert int(strongest.rows.sum() + strongest.columns.sum()) == 0


def test_a_channel_that_nothing_excites_has_no_patches() -> None:
    outcome, _ = run(silenced(NETWORK, "conv2", 3), MEMBERS[:4], channels=[3, 5], patches=9)
    assert {row["channel"] for row in outcome.result["table"]} == {5}
    assert len(outcome.result["table"]) <= 4
    assert outcome.result["never_excited"] >= 1


def test_a_neuron_that_is_a_pixel_is_projected_to_that_pixel() -> None:
    found = Found(0.5, 0, "a", 1, (3, 2), PixelBox(3, 2, 4, 3))
    for rule in ("deconvnet", "guided"):
        signal = project(identity_network(), "conv1", found, torch.full((1, 3, 6, 6), 0.5), rule)
        wanted = torch.zeros(1, 3, 6, 6)
        wanted[0, 1, 3, 2] = 1
        assert torch.equal(signal, wanted)


def test_rules_differ_where_a_relu_was_closed() -> None:
    """Two pixels through ReLUs, the second of which is below zero, then their sum and difference."""
    first, second = nn.Conv2d(3, 2, 1, bias=False), nn.Conv2d(2, 2, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0, 0], [0, -1, 0]]).view(2, 3, 1, 1))
        second.weight.copy_(torch.tensor([[1.0, 1], [1, -1]]).view(2, 2, 1, 1))
    stack = {"conv1": first, "relu1": ReLU(), "conv2": second}
    network = Network("two", stack, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test")
    picture = torch.full((1, 3, 1, 1), 0.5)

    def signal(channel: int, rule: str) -> list[float]:
        found = Found(0.5, 0, "a", channel, (0, 0), PixelBox(0, 0, 1, 1))
        return [float(each) for each in project(network, "conv2", found, picture, rule).flatten()]

    assert signal(0, "deconvnet") == [1, -1, 0]
    assert signal(0, "guided") == [1, 0, 0]
    assert signal(1, "deconvnet") == signal(1, "guided") == [1, 0, 0]


@pytest.mark.parametrize("projection", ["none", "deconvnet", "guided"])
def test_a_figure_has_what_was_asked_for(projection: str) -> None:
    outcome, _ = run(NETWORK, MEMBERS[:5], projection=projection)
    image = outcome.images["image"]
    assert image.min() >= 0 and image.max() <= 1
    plain, _ = run(NETWORK, MEMBERS[:5], projection="none")
    wider = image.shape[3] > plain.images["image"].shape[3]
    assert wider == (projection != "none")
    assert outcome.result["projection"] == projection


def test_a_deconvnet_is_for_networks_whose_pools_remember() -> None:
    for network, rule in ((NETWORK, "guided"), (NETWORK.with_pooling("max"), "deconvnet")):
        assert run(network, MEMBERS[:3], projection="auto")[0].result["projection"] == rule


def test_what_cannot_be_searched_is_refused(content: Tensor) -> None:
    with pytest.raises(InputError, match="no picture that can be decoded"):
        run(NETWORK, [damaged_member("a.png")])
    for wrong, field in (
        ({"layer": "logits"}, "layer"),
        ({"layer": "relu9"}, "layer"),
        ({"layer": "relu1_1", "channels": [32]}, "channels"),
    ):
        params = MaxPatchesParams.model_validate({"dataset": "d", "network": "palette", **wrong})
        with pytest.raises(InputError) as error:
            params.resolve(SHIPPED)
        assert error.value.field == field
