"""DeepDream on a tiny network: stills, zooms and clips."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.deep_dream import DeepDreamParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from models.registry import load_network
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, Video, run_steps
from worker.media.clips import open_clip
from worker.media.videos import encode_frame, encode_video
from worker.optim.pyramids.scales import resize
from worker.runtime import checkpoints
from worker.synthesis import deep_dream as deep_dream_module
from worker.synthesis.deep_dream import deep_dream
from worker.synthesis.dream_frames import zoomed
from worker.synthesis.dream_loss import DreamLoss, Term, make_terms

CPU = Compute(torch.device("cpu"))


def make_params(**values: Any) -> DeepDreamParams:
    """Params for the tiny network, whose layers no card knows; tones shift as steps say."""
    usual = {"image": "i", "network": "tiny", "layers": {"relu3": 1.0}, "size": 60, "steps": 4, "octaves": 3}
    usual["tone_shift"] = 1.0
    return DeepDreamParams.model_validate({**usual, **values})


Seen = tuple[Step, Tensor, dict[str, float], StepState]


def run(
    params: DeepDreamParams,
    network: Network,
    image: Any,
    guide: Tensor | None = None,
    resume: StepState | None = None,
) -> tuple[Outcome, list[Seen]]:
    """The outcome, and of every step itself, its picture, its numbers and its state as read from a file."""
    seen: list[Seen] = []
    pictures: dict[str, Sequence[Any]] = {"image": [image]} | ({} if guide is None else {"guide": [guide]})
    steps = deep_dream(params, Inputs.of(pictures), network, Compute(CPU.device, network.dtype), resume)
    outcome = run_steps(
        steps, lambda step: seen.append((step, step.image(), step.losses(), saved(step.state())))
    )
    return outcome, seen


def saved(state: StepState) -> StepState:
    back = checkpoints.from_bytes(checkpoints.to_bytes(state))
    return StepState(back.tensors, back.values, dict(state.parts))


def clip_of(frames: Sequence[Tensor], format: Any = "webp") -> Any:
    return open_clip(encode_video(Video([encode_frame(each) for each in frames], 10, format)), "image")


def same(first: Outcome, second: Outcome) -> bool:
    videos = [each.videos["video"].frames if each.videos else [] for each in (first, second)]
    return torch.equal(first.images["image"], second.images["image"]) and list(videos[0]) == list(videos[1])


def test_a_run_from_step_to_outcome(network: Network, content: Tensor) -> None:
    outcome, seen = run(make_params(layers={"relu2": 1.0, "relu3": 0.5}, octave_scale=1.5), network, content)
    assert [step.done for step, *_ in seen] == list(range(1, 13)) and {step.total for step, *_ in seen} == {
        12
    }
    assert [tuple(picture.shape[2:]) for _, picture, *_ in seen][::4] == [(20, 27), (30, 40), (45, 60)]
    for _, picture, terms, _ in seen:
        assert picture.dtype == torch.float32 and 0 <= float(picture.min()) <= float(picture.max()) <= 1
        assert terms.keys() == {"relu2", "relu3", "total"}
        assert terms["total"] == pytest.approx(terms["relu2"] + terms["relu3"])
    result = json.loads(json.dumps(outcome.result))
    assert outcome.images["image"].shape == (1, 3, 45, 60) and not outcome.videos
    assert (result["width"], result["height"], result["octaves_left_out"]) == (60, 45, 0)
    assert result["octaves"][0] == {"width": 27, "height": 20} and result["without_answer"] == []


@pytest.mark.slow
def test_the_defaults_on_the_default_network(content: Tensor) -> None:
    params = DeepDreamParams(image="i", size=96, octaves=2, steps=5).resolve(SHIPPED)
    compute = Compute(CPU.device, torch.bfloat16)
    network = load_network(params.network).prepared(compute.device, compute.dtype)
    outcome = run_steps(deep_dream(params, Inputs.of({"image": [content]}), network, compute))
    before, after = objective(outcome)
    assert after > 1.25 * before
    assert outcome.images["image"].shape == (1, 3, 72, 96)


def objective(outcome: Outcome) -> tuple[float, float]:
    """The sum of all terms, before and after."""
    total = outcome.result["objective"][-1]
    assert total["term"] == "total"
    return total["before"], total["after"]


@pytest.mark.parametrize(
    ("values", "factor"),
    [({}, 3), ({"laplacian_levels": 0}, 3), ({"channels": [2, 5]}, 3), ({"strongest": 2}, 1.5)],
)
def test_the_objective_grows(
    network: Network, content: Tensor, values: dict[str, Any], factor: float
) -> None:
    outcome, _ = run(make_params(steps=10, **values), network, content)
    before, after = objective(outcome)
    assert after > before + (factor - 1) * abs(before)


@pytest.mark.medium
def test_a_guide_changes_what_is_dreamt(network: Network, content: Tensor, style: Tensor) -> None:
    outcome, _ = run(make_params(steps=10), network, content, style)
    before, after = objective(outcome)
    assert after > 1.5 * before
    # It is more like the guide than a dream without it.
    plain, _ = run(make_params(steps=10), network, content)
    look = DreamLoss(network, make_terms(make_params(), network, content, style))
    guided, free = (look.values(each.images["image"])["total"] for each in (outcome, plain))
    assert guided > 1.05 * free


@pytest.mark.parametrize("levels", [0, 4])
def test_a_step_moves_a_color_value_by_the_strength(network: Network, levels: int) -> None:
    # Far from black and white, so that nothing is cut off.
    picture = 0.4 + 0.2 * drawn(45, 60, 4)
    params = make_params(octaves=1, steps=1, strength=0.8, laplacian_levels=levels)
    outcome, _ = run(params, network, picture)
    moved = (outcome.images["image"].double() - picture.double()).abs().mean()
    assert 255 * float(moved) == pytest.approx(0.8, rel=1e-4)


def test_every_pixel_is_dreamt_to_the_last_row_and_column(network: Network) -> None:
    # 47 and 61 are no multiples of the stride 4.
    picture = 0.4 + 0.2 * drawn(47, 61, 4)
    outcome, _ = run(make_params(octaves=1, steps=1, size=61, jitter=0, laplacian_levels=0), network, picture)
    moved = (outcome.images["image"] - picture).abs().amax(1)[0]
    assert (moved > 0).float().mean() > 0.99
    assert moved[-3:].amax(0).min() > 0 and moved[:, -3:].amax(1).min() > 0


def likeness_when_rolled(network: Network, monkeypatch: pytest.MonkeyPatch, roll: tuple[int, int]) -> float:
    """The cosine of a step's change of a picture, rolled for it by ``roll``, and of the gradient there.

    In the middle, where the edges are not seen.
    """
    monkeypatch.setattr(deep_dream_module, "draw_roll", lambda *_: roll)
    # Far from black and white, so that nothing is cut off.
    picture = 0.4 + 0.2 * drawn(45, 60, 4)
    outcome, _ = run(make_params(octaves=1, steps=1, laplacian_levels=0), network, picture)
    change = outcome.images["image"] - picture
    gradient = -DreamLoss(network, [Term("relu3", "relu3", 1.0)])(picture).gradient
    inner = (..., slice(14, -14), slice(14, -14))
    return float(torch.cosine_similarity(change[inner].flatten(), gradient[inner].flatten(), dim=0))


# Multiples of the stride, at which the network sees the same.
@pytest.mark.parametrize("roll", [(0, 0), (4, -8), (8, 4), (-16, 12)])
def test_rolling_back_leaves_everything_in_its_place(
    network: Network, monkeypatch: pytest.MonkeyPatch, roll: tuple[int, int]
) -> None:
    # 0.986 if it is a pixel off.
    assert likeness_when_rolled(network, monkeypatch, roll) > 0.999


def test_a_picture_is_rolled_as_drawn(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the strides the network sees something else, so the change is another one."""
    assert 0.98 < likeness_when_rolled(network, monkeypatch, (3, 5)) < 0.99


def test_the_same_recipe_gives_the_same_picture(rough_network: Network, content: Tensor) -> None:
    torch.manual_seed(1)
    first, _ = run(make_params(seed=5), rough_network, content)
    torch.manual_seed(2)
    second, _ = run(make_params(seed=5), rough_network, content)
    other, _ = run(make_params(seed=6), rough_network, content)
    assert same(first, second) and not same(first, other)


def test_large_areas_keep_their_tones(network: Network, content: Tensor) -> None:
    def shift(tone_shift: float) -> float:
        params = make_params(strength=8.0, octaves=1, size=64, tone_shift=tone_shift)
        dreamt = run(params, network, content)[0].images["image"]
        like = resize(content, *dreamt.shape[2:])
        return float((F.avg_pool2d(dreamt, 8) - F.avg_pool2d(like, 8)).square().mean().sqrt())

    assert shift(0.0) < 0.4 * shift(1.0)


@pytest.mark.parametrize("at", [1, 4, 5, 11])
def test_a_still_goes_on_bit_for_bit(network: Network, content: Tensor, at: int) -> None:
    params = make_params(tone_shift=0.1)
    whole, seen = run(params, network, content)
    again, rest = run(params, network, content, resume=seen[at - 1][3])
    assert same(whole, again) and len(rest) == 12 - at
    assert again.result == whole.result


@pytest.mark.medium
@pytest.mark.parametrize("at", [5, 6, 7, 12, 17])
@pytest.mark.parametrize("kind", ["zoom", "clip"])
def test_a_video_goes_on_bit_for_bit(network: Network, content: Tensor, kind: str, at: int) -> None:
    image = content if kind == "zoom" else clip_of([drawn(30, 40, seed) for seed in (1, 2, 3)])
    params = make_params(size=40, steps=3, octaves=2, frames=3, rotation=5, zoom=1.1, tone_shift=0.2)
    whole, seen = run(params, network, image)
    state = seen[at - 1][3]
    # Frames that are done are files of their own, and not among the tensors.
    assert len(state.parts) == (at - 1) // 6
    pictures = {name for name in state.tensors if not name.startswith("terms.")}
    assert pictures <= {"variables", "start"}
    again, _ = run(params, network, image, resume=state)
    assert same(whole, again) and again.result == whole.result


def test_frames_are_worth_keeping_when_they_are_done(network: Network, content: Tensor) -> None:
    _, seen = run(make_params(size=40, steps=2, octaves=2, frames=3), network, content)
    assert [step.done for step, *_ in seen if step.milestone] == [4, 8, 12]
    _, seen = run(make_params(size=40, steps=2, octaves=2), network, content)
    assert not any(step.milestone for step, *_ in seen)


def test_a_zoom_goes_on_from_the_frame_before(network: Network, content: Tensor) -> None:
    params = make_params(size=40, steps=1, octaves=1, frames=3, zoom=1.2, strength=1e-4)
    outcome, seen = run(params, network, content)
    video = outcome.videos["video"]
    assert (len(video.frames), video.rate, video.format) == (3, 15, "mp4")
    pictures = [picture for _, picture, *_ in seen]
    for before, after in pairwise(pictures):
        assert torch.allclose(after, zoomed(before, 1.2, 0), atol=1e-3)
    assert torch.equal(outcome.images["image"], pictures[-1])


@pytest.mark.parametrize("format", ["webp", "mp4"])
def test_a_clip_gives_as_many_frames(network: Network, format: str) -> None:
    clip = clip_of([drawn(30, 40, seed) for seed in range(5)], format)
    outcome, _ = run(make_params(size=32, steps=1, octaves=1), network, clip)
    assert len(outcome.videos["video"].frames) == 5 and outcome.videos["video"].rate == 10
    assert outcome.images["image"].shape == (1, 3, 24, 32)
    fewer, _ = run(make_params(size=32, steps=1, octaves=1, frames=2, fps=24), network, clip)
    assert len(fewer.videos["video"].frames) == 2 and fewer.videos["video"].rate == 24


def test_a_clip_blends_in_the_frame_before(network: Network) -> None:
    black, white = torch.zeros(1, 3, 30, 40), torch.ones(1, 3, 30, 40)
    # Not quite plain, that the network has something to see.
    black[..., 10:20, 10:30], white[..., 10:20, 10:30] = 0.2, 0.8
    params = make_params(size=40, steps=1, octaves=1, strength=1e-4, blend=0.25)
    _, seen = run(params, network, clip_of([black, white]))
    assert float(seen[1][1][..., :5, :5].mean()) == pytest.approx(0.75, abs=0.02)


def test_a_zoom_by_hand() -> None:
    picture = drawn(40, 40, 7)
    assert torch.allclose(zoomed(picture, 1, 0), picture, atol=1e-5)
    assert torch.allclose(zoomed(picture, 1, 90), picture.rot90(1, (2, 3)), atol=1e-4)
    # Twice as large: the middle pixels of the result lie between those of the middle.
    near = zoomed(picture, 2, 0)
    assert torch.allclose(near[..., 18:22, 18:22].mean(), picture[..., 19:21, 19:21].mean(), atol=0.01)
    wide = drawn(30, 60, 7)
    turned = zoomed(wide, 1, 180)
    assert torch.allclose(turned, wide.flip(2, 3), atol=1e-4)


def flags(network: Network) -> list[Any]:
    return [
        [(p.requires_grad, p.grad) for p in network.parameters()],
        [len(m._forward_hooks) + len(m._backward_hooks) for m in network.modules()],
        [m.training for m in network.modules()],
    ]


def test_no_flag_is_left_on_the_network(network: Network, content: Tensor) -> None:
    before = flags(network)
    run(make_params(), network, content)
    assert flags(network) == before
    cancelled = deep_dream(make_params(), Inputs.of({"image": [content]}), network, CPU)
    next(cancelled)
    cancelled.close()
    assert flags(network) == before
    with pytest.raises(ValueError):
        run(make_params(), network, content[:, :2])
    assert flags(network) == before
    assert torch.is_grad_enabled()


def with_dead(network: Network, *channels: int) -> Network:
    """The network with channels of its last layer dead: their weights are 0."""
    stack = dict(network.stack.items())
    dead = nn.Conv2d(8, 10, 3, padding=1)
    dead.load_state_dict(network.stack["conv3"].state_dict())
    with torch.no_grad():
        dead.weight[list(channels)] = 0
        dead.bias[list(channels)] = -1
    stack["conv3"] = dead
    return Network("broken", stack, mean=(0.5,) * 3, std=(0.25,) * 3, source="a test").prepared(
        CPU.device, torch.float32
    )


def test_dead_channels_are_told(network: Network, content: Tensor) -> None:
    broken = with_dead(network, 3, 4)
    with pytest.raises(InputError, match="relu3:3, relu3:4") as error:
        run(make_params(channels=[3, 4]), broken, content)
    assert error.value.field == "channels"
    outcome, _ = run(make_params(channels=[3, 5]), broken, content)
    assert outcome.result["without_answer"] == ["relu3:3"]


def test_a_dead_layer_is_told(network: Network, content: Tensor) -> None:
    broken = with_dead(network, *range(10))
    with pytest.raises(InputError) as error:
        run(make_params(), broken, content)
    assert error.value.field == "layers"
    outcome, _ = run(make_params(layers={"relu2": 1.0, "relu3": 1.0}), broken, content)
    assert outcome.result["without_answer"] == ["relu3"]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 4), (5, 9), (4, 128), (128, 4), (33, 17)])
def test_pictures_of_any_shape(network: Network, height: int, width: int) -> None:
    size = max(16, height, width)
    outcome, _ = run(make_params(size=size, octaves=6, steps=1), network, drawn(height, width, 2))
    assert max(outcome.images["image"].shape[2:]) == size
    assert outcome.result["octaves_left_out"] == 6 - len(outcome.result["octaves"]) > 0


def test_a_picture_too_narrow_names_a_size_that_works(network: Network) -> None:
    picture = drawn(4, 128, 2)
    # 3.5 px are rounded to 4.
    with pytest.raises(InputError, match=r"size that works is 112\.") as error:
        run(make_params(size=64), network, picture)
    assert error.value.field == "size"
    outcome, _ = run(make_params(size=112, steps=1), network, picture)
    assert outcome.images["image"].shape == (1, 3, 4, 112)


def test_more_frames_than_can_be_kept_are_refused(network: Network, content: Tensor) -> None:
    with pytest.raises(InputError) as error:
        run(make_params(size=8192, frames=600), network, content)
    assert error.value.field == "size"


def test_what_it_dreams_is_seen_by_another_look(network: Network, content: Tensor) -> None:
    """The gain is in the picture as it is, not in the numbers that the run tells of itself."""
    outcome, _ = run(make_params(steps=10, size=60), network, content)
    look = DreamLoss(network, [Term("relu3", "relu3", 1.0)])
    assert look.values(outcome.images["image"])["total"] > 3 * look.values(content)["total"]
