"""Embeddings: codes, neighbours, places, grids and probes; resumed or not."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InputError
from app.kinds.embedding import EmbeddingParams, ResolvedEmbedding
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support.networks import color_network, make_classifier
from tests.support.sets import damaged_member, inputs_of, member_of
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Member
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.understanding import codes as codes_module
from worker.understanding import layout
from worker.understanding.codes import code_of, nearest
from worker.understanding.embedding import embedding
from worker.understanding.layout import Points, grid_size, principal_components, snap, tsne
from worker.understanding.probes import chance, held_out, probe
from worker.understanding.views import as_input

NETWORK = make_classifier()
CPU = Compute(torch.device("cpu"), threads=1)
COLORS = ("red", "green", "blue")


def colored(count: int) -> list[Member]:
    """Pictures of a color each, a little apart, by turns."""
    members = []
    for place in range(count):
        picture = 0.2 + 0.1 * drawn(16, 16, place)
        picture[:, place % 3] += 0.6
        members.append(member_of(picture, f"{place}.png", COLORS[place % 3]))
    return members


def run(
    network: Network,
    members: Sequence[Member],
    resume: StepState | None = None,
    image: torch.Tensor | None = None,
    **values: Any,
) -> tuple[Outcome, list[tuple[Step, StepState]]]:
    given = {"dataset": "d", "layer": "conv1", "size": 16, "neighbors": 3, **values}
    params = ResolvedEmbedding.model_validate(given)
    seen: list[tuple[Step, StepState]] = []
    pictures = {} if image is None else {"image": [image]}
    steps = embedding(params, inputs_of(members, pictures), network, CPU, resume)
    return run_steps(steps, lambda step: seen.append((step, step.state()))), seen


def blobs(count: int, size: int, dimensions: int, seed: int = 0) -> tuple[Points, list[int]]:
    """Gaussian clouds far apart, and whose each point is."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(0, 12, (count, dimensions))
    whose = np.repeat(np.arange(count), size)
    return centers[whose] + generator.normal(0, 1, (count * size, dimensions)), whose.tolist()


def nearest_of_same(points: Points, whose: list[int], k: int = 5) -> float:
    """The accuracy of k nearest neighbours."""
    distances = ((points[:, None] - points[None]) ** 2).sum(2)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, 1)[:, :k]
    return float((np.array(whose)[near] == np.array(whose)[:, None]).mean())


def test_the_code_of_maps_is_their_means_and_of_units_themselves() -> None:
    maps = torch.tensor([[[[1.0, 2], [3, 6]], [[0, 0], [0, 4]]]])
    assert code_of(maps).tolist() == [[3, 1]]
    assert code_of(torch.tensor([[2.0, -1]])).tolist() == [[2, -1]]


def test_neighbours_by_hand() -> None:
    found = torch.tensor([[1.0, 0], [2, 0], [1, 1], [0, 3], [0, 0]])
    cosines, indices = nearest(found, found, 2, leave_out_self=True)
    # Of 1 and 2 the cosine is 1 whatever their lengths; zeros are similar to none.
    assert indices.tolist() == [[1, 2], [0, 2], [0, 1], [2, 0], [0, 1]]
    assert cosines[0].tolist() == pytest.approx([1, 0.5**0.5])
    assert cosines[3].tolist() == pytest.approx([0.5**0.5, 0])
    cosines, indices = nearest(found, torch.tensor([[0.0, -1]]), 1, leave_out_self=False)
    assert (cosines.tolist(), indices.tolist()) == ([[0]], [[0]])
    assert nearest(found, found, 20, leave_out_self=True)[1].shape == (5, 4)


@pytest.mark.medium
def test_tsne_keeps_clouds_apart_and_is_the_same_every_time() -> None:
    points, whose = blobs(6, 25, 20)
    components = principal_components(points, 3)
    *_, first = tsne(components, 30, 3, 1)
    assert nearest_of_same(first, whose) > 0.95
    rounds = list(tsne(principal_components(points, 3), 30, 3, 1))
    assert len(rounds) == layout.ROUNDS and np.array_equal(first, rounds[-1])


def test_principal_components_by_hand() -> None:
    line = np.array([[0.0, 0], [3, 4], [6, 8], [-3, -4]])
    found = principal_components(line, 0)
    assert np.allclose(np.abs(found[:, 0]), np.abs(np.array([0, 5, 10, -5]) - 2.5))
    assert np.allclose(found[:, 1], 0)
    assert principal_components(line[:, :1], 0).shape == (4, 2)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**16), st.sampled_from([9, 25, 2500]))
def test_no_two_pictures_share_a_cell(count: int, seed: int, block: int) -> None:
    points = np.random.default_rng(seed).normal(size=(count, 2)) * (1, 3)
    rows, columns = grid_size(count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "BLOCK", block)
        cells = snap(points, rows, columns)
    assert len({*map(tuple, cells.tolist())}) == count
    assert cells.min() >= 0 and (cells < (rows, columns)).all()


def test_points_on_a_grid_stay_where_they_are() -> None:
    rows, columns = np.divmod(np.arange(20), 5)
    shuffled = np.random.default_rng(1).permutation(20)
    points = np.stack([columns, rows], 1)[shuffled] * (3.0, 0.5)
    assert np.array_equal(snap(points, 4, 5), np.stack([rows, columns], 1)[shuffled])


@pytest.mark.parametrize("block", [64, 2500])
def test_a_grid_keeps_neighbourhoods(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "BLOCK", block)
    points, whose = blobs(6, 30, 2)
    cells = snap(points, *grid_size(180)).astype(np.float64)
    random = np.random.default_rng(0).permutation(cells)
    assert nearest_of_same(cells, whose) > 0.7 > 0.4 > nearest_of_same(random, whose)


def test_a_probe_reads_off_what_is_there_and_nothing_else() -> None:
    points, whose = blobs(4, 20, 8)
    labels = [f"label {each}" for each in whose]
    tested = held_out(labels, 5)
    good = probe("good", torch.from_numpy(points), labels, tested)
    noise = torch.randn(80, 8, generator=torch.Generator().manual_seed(1))
    bad = probe("bad", noise, labels, tested)
    assert (good.layer, good.dimensions, good.accuracy) == ("good", 8, 1.0)
    assert bad.accuracy < 0.6
    assert chance(labels, tested) == 0.25


def test_a_share_of_every_label_is_held_out() -> None:
    labels = ["a"] * 12 + ["b"] * 2 + ["c"]
    tested = held_out(labels, 0)
    assert [int(part.sum()) for part in (tested[:12], tested[12:14], tested[14:])] == [3, 1, 0]
    assert np.array_equal(tested, held_out(labels, 0))
    assert not np.array_equal(tested, held_out(labels, 1))


def test_a_run_from_set_to_figures() -> None:
    members = colored(24)
    query = torch.tensor([0.1, 0.1, 0.9]).view(1, 3, 1, 1).expand(1, 3, 20, 20)
    outcome, seen = run(color_network(), members, image=query, probe_layers=["conv1", "logits"])

    assert [step.done for step, _ in seen] == sorted(step.done for step, _ in seen)
    assert seen[-1][0].done == seen[-1][0].total
    assert list(outcome.images) == ["image", "scatter", "neighbors", "probe"]
    assert all(0 <= float(each.min()) <= float(each.max()) <= 1 for each in outcome.images.values())
    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    assert (result["pictures"], result["dimensions"]) == (24, 3)
    assert {each["label"] for each in result["query"]} == {"blue"}
    assert result["neighbors_of_same_label"] == 1
    assert [each["layer"] for each in result["probe"]] == ["conv1", "logits"]
    assert all(each["accuracy"] == 1 for each in result["probe"])

    written = json.loads(outcome.files["coordinates"].data)
    points = written["points"]
    assert [point["label"] for point in points] == [member.label for member in members]
    assert len({tuple(point["cell"]) for point in points}) == 24
    whose = [COLORS.index(point["label"]) for point in points]
    assert nearest_of_same(np.array([point["tsne"] for point in points]), whose, 3) > 0.95
    for place, point in enumerate(points):
        assert len(point["neighbors"]) == 3
        for other, cosine in point["neighbors"]:
            mine, theirs = (as_input(members[at].source.load().rgb, 16) - 0.5 for at in (place, other))
            codes = [each.mean((2, 3)).double() for each in (mine, theirs)]
            assert cosine == pytest.approx(float(torch.cosine_similarity(*codes)), abs=2e-4)


@pytest.mark.medium
def test_a_resumed_run_is_the_uninterrupted_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes_module, "CHUNK", 20)
    pictures = [member_of(drawn(20, 20, seed), f"{seed}.png", "ab"[seed % 2]) for seed in range(45)]
    members = [*pictures[:18], damaged_member("bad.png", "a"), *pictures[18:]]
    values: dict[str, Any] = {"layer": "relu2", "probe_layers": ["relu1", "relu2"], "seed": 7}
    whole, seen = run(NETWORK, members, **values)
    again, _ = run(NETWORK, members, **values)
    assert whole.files["coordinates"] == again.files["coordinates"]
    milestones = [state for step, state in seen if step.milestone]
    assert len(milestones) == 3 and len(milestones[-1].parts) == 3
    for state in [seen[2][1], *milestones, seen[-1][1]]:
        stored = from_bytes(to_bytes(state))
        resumed, _ = run(
            NETWORK, members, StepState(stored.tensors, stored.values, dict(state.parts)), **values
        )
        assert resumed.result == whole.result
        assert resumed.files["coordinates"] == whole.files["coordinates"]
        assert all(torch.equal(each, whole.images[name]) for name, each in resumed.images.items())
    assert whole.result["damaged"]["pictures"] == [{"name": "bad.png", "error": "bad.png is damaged."}]


def test_of_a_large_set_evenly_spaced_pictures_are_taken() -> None:
    outcome, _ = run(color_network(), colored(40), limit=10, method="pca")
    points = json.loads(outcome.files["coordinates"].data)["points"]
    assert [point["name"] for point in points] == [f"{4 * place}.png" for place in range(10)]
    assert "tsne" not in points[0] and (outcome.result["pictures"], outcome.result["set_size"]) == (10, 40)


def test_many_labels_have_their_names_on_the_map_and_few_a_legend() -> None:
    def scatter(labels: int) -> torch.Tensor:
        members = [member_of(drawn(16, 16, n), f"{n}", f"label {n % labels}") for n in range(30)]
        return run(color_network(), members, method="pca")[0].images["scatter"]

    assert scatter(3).shape[3] > scatter(30).shape[3]


@pytest.mark.parametrize(
    ("members", "values", "field"),
    [
        (colored(7), {}, "dataset"),
        ([damaged_member(f"{place}") for place in range(9)], {}, "dataset"),
        ([member_of(drawn(16, 16, n)) for n in range(9)], {"probe_layers": ["conv1"]}, "probe"),
        ([member_of(drawn(16, 16, n), label=f"{n}") for n in range(9)], {"probe_layers": ["conv1"]}, "probe"),
        ([member_of(drawn(16, 16, 0))] * 9, {}, "layer"),
    ],
)
def test_what_cannot_be_arranged_is_refused(
    members: list[Member], values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InputError) as error:
        run(color_network(), members, **values)
    assert error.value.field == field


def test_params_are_checked_against_the_network() -> None:
    def resolve(**values: Any) -> ResolvedEmbedding:
        return EmbeddingParams.model_validate({"dataset": "d", **values}).resolve(SHIPPED)

    assert resolve(network="palette").layer == "pool5"
    assert resolve(network="efficientnet_lite0").layer == "pool"
    assert resolve(network="vgg19").layer == "relu7"
    assert resolve(network="palette").probe_layers is None
    probed = resolve(network="palette", probe=True).probe_layers
    assert probed is not None
    assert (len(probed), probed[0], probed[-1]) == (12, "relu1_1", "logits")
    with pytest.raises(InputError) as error:
        resolve(network="palette", layer="relu9")
    assert error.value.field == "layer"
