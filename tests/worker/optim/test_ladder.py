"""Rungs that a descent goes down where memory runs out."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import OutOfMemory
from app.kinds.style_transfer import StyleTransferParams
from app.kinds.work import SPENDINGS, TILE_BYTES, Spending
from app.networks.catalogue import SHIPPED, get_card
from models.network import Network
from models.registry import load_network
from models.relu import ReLU
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.optim.kept import TARGETS
from worker.optim.ladder import Ladder, is_out_of_memory
from worker.optim.optimizers.lbfgs import LBFGS
from worker.runtime.fitting import fitted, out_of_memory
from worker.synthesis.style_transfer import style_transfer

CPU = torch.device("cpu")
SIDE = 96


def too_large(*_: Any) -> Tensor:
    """More than any machine has."""
    return torch.empty(10**14)


def failure() -> Exception:
    with pytest.raises(RuntimeError) as caught:
        too_large()
    return caught.value


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network("palette").prepared(CPU, torch.float32)


def test_too_little_memory_has_many_words() -> None:
    for known in (
        failure(),
        MemoryError(),
        torch.OutOfMemoryError(),
        RuntimeError("could not create a primitive"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18.02 GB, other allocations: 1.2 GB)"),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
        torch.AcceleratorError("CUDA error: out of memory"),
    ):
        assert is_out_of_memory(known)
    for other in (
        ValueError("not enough memory"),
        RuntimeError("could not create a primitive descriptor for it"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    ):
        assert not is_out_of_memory(other)


def test_tiles_come_first_then_the_precision_then_the_history(network: Network) -> None:
    ladder = Ladder(network, Compute(CPU, may_round=True))
    found = []
    for _ in range(4):
        ladder.lower(failure(), 7, tile=min(TILE_BYTES, ladder.spending.tile_bytes))
        found.append((ladder.spending.tile_bytes >> 20, ladder.dtype))
    assert found == [(1024, "float32"), (512, "float32"), (256, "float32"), (128, "bfloat16")]
    for pairs, left in ((10, 5), (5, 2), (2, 1)):
        ladder.lower(failure(), 8, tile=1 << 27, history=pairs)
        assert ladder.spending.history == left
    with pytest.raises(RuntimeError, match="memory"):
        ladder.lower(failure(), 9, tile=1 << 27, history=1)
    assert ladder.reductions[3] == {"step": 7, "tile_bytes": 128 << 20, "dtype": "bfloat16", "history": 10}
    # Whoever goes on from a state stands on the same rung.
    again = Ladder(network, Compute(CPU, may_round=True), StepState({}, ladder.values))
    assert (again.spending, again.dtype, again.values) == (ladder.spending, "bfloat16", ladder.values)


def test_what_helps_depends_on_where_memory_ran_out(network: Network) -> None:
    ladder = Ladder(network, Compute(CPU, may_round=True))
    # Tiles are of no use to an optimizer, nor where there is one alone.
    ladder.lower(failure(), 1, history=3)
    assert ladder.spending == Spending(history=1)
    ladder.lower(failure(), 1, tile=0)
    assert ladder.dtype == "bfloat16"
    with pytest.raises(ValueError, match="odd"):
        ladder.lower(ValueError("odd"), 1, tile=1 << 40)
    assert Ladder(network, Compute(CPU)).values == {}


def test_a_worker_with_less_memory_takes_no_more_than_it_has(network: Network) -> None:
    small = Compute(CPU, spending=Spending(TILE_BYTES // 4, 5))
    # Of a state whose run had given up nothing.
    ladder = Ladder(network, small, StepState({}, {}), step=9)
    assert ladder.spending == small.spending
    assert ladder.reductions == [{"step": 9, "tile_bytes": TILE_BYTES // 4, "dtype": "float32", "history": 5}]
    # Of one that had given up something else: the least of each.
    state = StepState(
        {}, {"reductions": [{"step": 3, "tile_bytes": 1 << 28, "dtype": "bfloat16", "history": 10}]}
    )
    ladder = Ladder(network, small, state, step=9)
    assert (ladder.spending, ladder.dtype) == (Spending(1 << 28, 5), "bfloat16")
    assert [row["step"] for row in ladder.reductions] == [3, 9]
    # One with more goes on as before.
    assert Ladder(network, Compute(CPU), state, step=9).values == state.values


def test_a_run_that_is_resumed_goes_down_as_one_that_was_not(network: Network) -> None:
    ladder = Ladder(network, Compute(CPU, may_round=True))
    ladder.lower(failure(), 1, tile=0)
    again = Ladder(network, Compute(CPU, may_round=True), StepState({}, ladder.values), step=2)
    for each in (ladder, again):
        each.lower(failure(), 3, tile=0, history=10)
    assert ladder.values == again.values and ladder.dtype == "bfloat16" and ladder.spending.history == 5


def test_a_step_of_the_optimizer_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(3)
    curvature = torch.rand(1, 3, 4, 4, generator=generator) + 0.5
    found = []
    for fails in (False, True):
        optimizer, at = LBFGS(history=3), torch.full((1, 3, 4, 4), 0.9)
        for step in range(8):
            if fails and step in (0, 4):
                with monkeypatch.context() as broken:
                    broken.setattr(optimizer, "_direction", too_large)
                    with pytest.raises(RuntimeError, match="memory"):
                        optimizer.step(at, curvature * at)
            at = optimizer.step(at, curvature * at)
        found.append(at)
    assert torch.equal(*found)
    optimizer.shorten(1)
    assert optimizer.state().tensors["weights"].shape[0] == 1


def limited(network: Network, pixels: int) -> Network:
    """A network that runs out of memory on more pixels than so many at a time."""

    def check(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        if given[0][0, 0].numel() > pixels:
            too_large()

    made = network.prepared(CPU, torch.float32)
    made.stack["conv1_1"].register_forward_pre_hook(check)
    return made


def paint(
    network: Network, compute: Compute, resume: StepState | None = None, **params: Any
) -> tuple[Outcome, list[StepState], list[Step]]:
    asked = {"style_layers": {"relu1_1": 1, "relu2_1": 1}, "content_layers": {"relu2_1": 1}, **params}
    given = {"content": "c", "style": ["s"], "size": SIDE, "steps": 4, "preset": "gatys-2016", **asked}
    resolved = StyleTransferParams.model_validate(given).resolve(SHIPPED)
    generator = torch.Generator().manual_seed(1)
    pictures = {name: [torch.rand(1, 3, SIDE, SIDE, generator=generator)] for name in ("content", "style")}
    states, steps = [], []

    def keep(step: Step) -> None:
        states.append(step.state())
        steps.append(step)

    return (
        run_steps(style_transfer(resolved, Inputs.of(pictures), network, compute, resume), keep),
        states,
        steps,
    )


def test_what_ran_out_of_memory_is_what_began_in_such_tiles(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.optim.ladder.LEAST_TILE_BYTES", 1 << 20)
    compute = Compute(CPU)
    lowered, states, steps = paint(limited(network, 4000), compute)
    reductions = lowered.result["reductions"]
    assert reductions and {row["step"] for row in reductions} == {0} and len(steps) == 4
    small = replace(compute, spending=Spending(reductions[-1]["tile_bytes"]))
    begun, _, _ = paint(network, small)
    assert torch.equal(lowered.images["image"], begun.images["image"])
    assert begun.result["reductions"] == [{**reductions[-1], "step": 0}]
    whole, _, _ = paint(network, compute)
    assert "reductions" not in whole.result
    assert lowered.result["losses"]["total"] == pytest.approx(whole.result["losses"]["total"], rel=1e-3)
    # Without having to run out of memory again.
    resumed, _, left = paint(network, compute, states[1])
    assert torch.equal(lowered.images["image"], resumed.images["image"]) and len(left) == 2
    assert resumed.result["reductions"] == reductions
    # By a worker with less memory still.
    least = replace(compute, spending=Spending(reductions[-1]["tile_bytes"] // 2))
    again, _, _ = paint(network, least, states[2])
    rung = {**reductions[-1], "step": 3, "tile_bytes": least.spending.tile_bytes}
    assert again.result["reductions"] == [*reductions, rung]


def off_the_grid() -> Network:
    """One with the layers that :func:`paint` uses, whose positions lie on no grid."""
    stack: dict[str, nn.Module] = {}
    for name, channels in (("1_1", 3), ("2_1", 4)):
        stack[f"conv{name}"], stack[f"relu{name}"] = nn.Conv2d(channels, 4, 3, stride=2), ReLU()
    return Network("palette", stack, mean=(0.5,) * 3, std=(0.25,) * 3, source="a test")


@pytest.mark.parametrize("on_grid", [True, False])
@pytest.mark.parametrize(("works", "tries"), [(0, 1), (1, 1), (2, 1), (4, 1), (5, 2)])
def test_no_rung_is_taken_that_changes_nothing(
    network: Network, on_grid: bool, works: int, tries: int
) -> None:
    # Of a picture of this size the only tile is far below what tiles are lowered to, and there may be none.
    # It works for the targets of content and style, and for steps: the fourth has two pairs, of which one can
    # be given up.
    tried = []

    def check(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        if given[0].device.type == "meta":
            return
        tried.append(given)
        if len(tried) > works:
            too_large()

    used = (network if on_grid else off_the_grid()).prepared(CPU, torch.float32)
    used.stack["conv1_1"].register_forward_pre_hook(check)
    TARGETS.clear()
    with pytest.raises(RuntimeError, match="memory"):
        paint(used, Compute(CPU), steps=8)
    assert len(tried) == works + tries


def test_what_cannot_fit_names_the_size_that_does() -> None:
    params = StyleTransferParams(content="c", style=["s"], size=4096).resolve(SHIPPED)
    picture = torch.zeros(1, 3, 30, 40)
    inputs = Inputs.of({"content": [picture], "style": [picture]})
    inputs.cards = {"palette": get_card("palette")}
    compute = Compute(CPU)
    assert fitted(params, inputs, compute, 64 << 30) == compute
    less = fitted(params, inputs, compute, 9 << 28).spending
    assert less in SPENDINGS[1:]
    with pytest.raises(ValueError, match="largest size that fits is") as refused:
        fitted(params, inputs, compute, 3 << 29)
    fits = int(str(refused.value).rsplit(" ", 1)[1].rstrip("."))
    assert 1024 < fits < 4096
    assert fitted(params.model_copy(update={"size": fits}), inputs, compute, 3 << 29)
    with pytest.raises(ValueError, match="size"):
        fitted(params.model_copy(update={"size": fits + 32}), inputs, compute, 3 << 29)
    # One that failed in spite of the prediction names a smaller one.
    error = out_of_memory(params, inputs, 64 << 30)
    assert isinstance(error, OutOfMemory) and error.field == "size"
    assert 2048 < int(error.detail.rsplit(" ", 1)[1].rstrip(".")) < 4096
    small = out_of_memory(params.model_copy(update={"size": 256}), inputs, 64 << 30)
    assert 128 < int(small.detail.rsplit(" ", 1)[1].rstrip(".")) < 256
