"""Style transfers that go on where another one ended."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.style_transfer import ResolvedStyleTransfer
from models.network import Network
from tests.support.style_runs import make_params as style_params
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Loaded, Source
from worker.contract.steps import Outcome, StepState, run_steps
from worker.media.pictures import Picture
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis import style_transfer as module
from worker.synthesis.style_colors import StyleColors, coloring
from worker.synthesis.style_sources import StyleSources
from worker.synthesis.style_transfer import style_transfer

Frames = list[tuple[Tensor, StepState]]


def make_params(**values: Any) -> ResolvedStyleTransfer:
    return style_params(**{"size": 64, "steps": 8, "keep_state": True, **values})


def run(
    params: ResolvedStyleTransfer,
    network: Network,
    content: Tensor,
    style: Tensor,
    earlier: Tensor | StepState | None = None,
    resume: StepState | None = None,
) -> tuple[Outcome, Frames]:
    """The outcome, and picture and state of each step."""
    seen: Frames = []
    inputs: dict[str, list[Tensor | StepState]] = {"content": [content], "style": [style]}
    if earlier is not None:
        inputs["continue_from"] = [earlier]
        params = params.model_copy(update={"continue_from": "earlier"})
    compute = Compute(torch.device("cpu"), network.dtype)
    steps = style_transfer(params, Inputs.of(inputs), network, compute, resume)
    outcome = run_steps(steps, lambda step: seen.append((step.image(), step.state())))
    return outcome, seen


def kept(outcome: Outcome) -> StepState:
    """The state that a run has kept, as a later one reads it."""
    return from_bytes(to_bytes(outcome.states["state"]))


@pytest.mark.medium
@pytest.mark.parametrize("optimizer", ["lbfgs", "preconditioned_lbfgs", "adam"])
@pytest.mark.parametrize("precision", ["network", "rough_network"])
def test_going_on_is_one_longer_run_bit_for_bit(
    request: pytest.FixtureRequest, optimizer: str, precision: str, content: Tensor, style: Tensor
) -> None:
    network = request.getfixturevalue(precision)
    whole, every = run(make_params(optimizer=optimizer, steps=20), network, content, style)
    first, begun = run(make_params(optimizer=optimizer, steps=8), network, content, style)
    second, more = run(make_params(optimizer=optimizer, steps=7), network, content, style, kept(first))
    third, last = run(make_params(optimizer=optimizer, steps=5), network, content, style, kept(second))

    assert all(
        torch.equal(picture, expected)
        for (picture, _), (expected, _) in zip([*begun, *more, *last], every, strict=True)
    )
    assert torch.equal(third.images["image"], whole.images["image"])
    assert third.result["losses"] == whole.result["losses"]
    assert [scale["steps"] for scale in third.result["scales"]] == [5]
    for name, tensor in kept(whole).tensors.items():
        assert torch.equal(kept(third).tensors[name], tensor), name


def test_a_kept_state_is_read_once(content: Tensor, style: Tensor) -> None:
    read = []

    def source(param: str, loaded: Loaded) -> Source:
        def load() -> Loaded:
            read.append(param)
            return loaded

        return Source("", load)

    inputs = Inputs(
        {
            "content": [source("content", Picture(content))],
            "style": [source("style", Picture(style))],
            "continue_from": [source("continue_from", StepState({}, {}))],
        }
    )
    sources = StyleSources(make_params(continue_from="earlier"), inputs)
    assert set(sources.pictures) == {"content", "style"}
    sources.let_go()
    assert set(sources.pictures) == {"content", "style"}
    # Pictures are decoded again, since they were let go.
    assert sorted(read) == ["content", "content", "continue_from", "style", "style"]


@pytest.mark.medium
def test_further_steps_are_those_of_the_last_scale(
    network: Network, content: Tensor, style: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = make_params(size=192, steps=12)
    first, _ = run(params, network, content, style)
    second, _ = run(params.model_copy(update={"steps": 6}), network, content, style, kept(first))

    plan = module.plan_scales

    def longer(*arguments: Any) -> Any:
        *coarse, fine = plan(*arguments)
        return [*coarse, replace(fine, steps=fine.steps + 6)]

    monkeypatch.setattr(module, "plan_scales", longer)
    whole, _ = run(params, network, content, style)

    assert [scale["steps"] for scale in whole.result["scales"]] == [4, 4, 10]
    assert torch.equal(second.images["image"], whole.images["image"])


@pytest.mark.medium
def test_a_continued_run_resumes_from_each_step(network: Network, content: Tensor, style: Tensor) -> None:
    first, _ = run(make_params(), network, content, style)
    whole, seen = run(make_params(), network, content, style, kept(first))

    for after in (1, 5, 8):
        resume = from_bytes(to_bytes(seen[after - 1][1]))
        outcome, _ = run(make_params(), network, content, style, kept(first), resume)
        assert torch.equal(outcome.images["image"], whole.images["image"])
        assert outcome.result == whole.result


@pytest.mark.parametrize(
    "changed",
    [{"style_weight": 60.0}, {"tv_weight": 0.0}, {"optimizer": "adam"}, {"color": "content"}, {"seed": 4}],
)
def test_another_objective_starts_from_the_full_precision_picture(
    changed: dict[str, Any], network: Network, content: Tensor, style: Tensor
) -> None:
    first, _ = run(make_params(), network, content, style)
    state = kept(first)

    outcome, seen = run(make_params(steps=2, **changed), network, content, style, state)

    fresh, expected = run(make_params(steps=2, **changed), network, content, style, state.tensors["best"])
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(seen, expected, strict=True))
    assert torch.equal(outcome.images["image"], fresh.images["image"])
    assert outcome.result["scales"] == fresh.result["scales"]


def test_what_has_no_effect_on_the_loss_may_change(network: Network, content: Tensor, style: Tensor) -> None:
    first, _ = run(make_params(), network, content, style)
    state = kept(first)
    plain, _ = run(make_params(steps=3), network, content, style, state)

    other = make_params(
        steps=3, keep_state=False, timelapse="mp4", format="tiff", bit_depth=16, content="d", init="noise"
    )
    outcome, _ = run(other, network, content, style, state)

    assert torch.equal(outcome.images["image"], plain.images["image"])
    assert (outcome.states, [*outcome.videos]) == ({}, ["timelapse"])


def test_a_picture_is_where_it_starts(network: Network, content: Tensor, style: Tensor) -> None:
    picture = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(5))

    params = make_params(size=64, steps=2)
    _, seen = run(params, network, content, style, picture)

    finish = coloring(params, pictures(content, style)).finish
    assert isinstance(finish, StyleColors)
    finish = finish.towards([style], params.color_strength(), apart=False)
    assert torch.equal(seen[0][0], finish(picture))


def pictures(content: Tensor, style: Tensor) -> dict[str, list[Tensor]]:
    return {"content": [content], "style": [style]}


@pytest.mark.parametrize("size", [32, 96])
def test_another_size_says_what_to_do(size: int, network: Network, content: Tensor, style: Tensor) -> None:
    first, _ = run(make_params(steps=1), network, content, style)

    with pytest.raises(InputError, match=r"is 64×48 px, .* Take size 64") as caught:
        run(make_params(size=size), network, content, style, kept(first))

    assert caught.value.field == "continue_from"


def test_a_state_is_kept_only_if_asked_for(network: Network, content: Tensor, style: Tensor) -> None:
    outcome, _ = run(make_params(steps=1, keep_state=False), network, content, style)

    assert outcome.states == {}


def test_only_one_thing_to_start_from() -> None:
    with pytest.raises(InputError) as caught:
        make_params(continue_from="a", init_image="b")

    assert caught.value.field == "init_image"


def test_a_state_of_before_there_were_views_goes_on(network: Network, content: Tensor, style: Tensor) -> None:
    asked = make_params(views=["picture"], steps=3)
    first, _ = run(asked, network, content, style)
    earlier = kept(first)
    del earlier.values["objective"]["params"]["views"]
    expected, found, anew = (
        run(asked, network, content, style, each)[0].images["image"]
        for each in (kept(first), earlier, earlier.tensors["best"])
    )
    assert torch.equal(found, expected)
    assert not torch.equal(found, anew)
