"""The probability of a class while a square hides one part of a picture after another.

Zeiler, Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2. Each square is
computed exactly, but only as far as it changes anything: see :mod:`worker.understanding.incremental`.
"""

import csv
import io
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from app.errors import ComputationError, InputError
from app.kinds.classes import class_index
from app.kinds.occlusion import Fill, ResolvedOcclusion, positions
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import File, Outcome, Step, Steps, StepState
from worker.losses.regularizers import blur
from worker.optim.memory import require_memory
from worker.optim.objectives import precise
from worker.understanding.figures import colorize, scale_of
from worker.understanding.incremental import Change, IncrementalInference, Rectangle
from worker.understanding.occlusion_figure import Occluded, by_center, drop_scale, occlusion_figure
from worker.understanding.verdicts import verdict
from worker.understanding.views import as_input

# The blur's deviation as a share of the window: 10 of 224 px, as in Fong and Vedaldi, "Interpretable
# explanations of black boxes by meaningful perturbation", ICCV 2017.
BLUR_SHARE = 1 / 3

# Rows of the table of squares that make another class win.
MOST_ROWS = 200


def occlusion(
    params: ResolvedOcclusion,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Follow the probability of a class while a square moves over the picture.

    Raises InputError if the size is too small for the network or too large for the memory, ComputationError
    if its scores are not finite.
    """
    if network is None:
        raise TypeError("occlusion needs a network")
    smallest = network.minimum_side(("logits",))
    if params.size < smallest:
        raise InputError(
            "size", f"Size {params.size} is too small for {network.name}: it needs {smallest} px at least."
        )
    # What is kept of the picture as it is takes no more than a gradient would.
    sides = (params.size, params.size)
    require_memory(network, ("logits",), sides, params.size, compute, tiles=False)
    view = as_input(inputs.picture("image"), params.size)
    inference = IncrementalInference(network, view.to(compute.device))
    clean = _probabilities(inference.logits)[0]
    target = int(clean.argmax()) if params.target is None else class_index(network.classes, params.target)
    starts = positions(params.size, params.window, params.stride)
    squares = [Rectangle(top, left, params.window, params.window) for top in starts for left in starts]
    fill = _Filler(params.fill, view, params.window, network.mean.cpu())
    # A square that shows what is there changes nothing.
    changing = [place for place, each in enumerate(squares) if not fill.is_idle(each)]
    probabilities = clean[target].repeat(len(squares))
    winners = clean.argmax().repeat(len(squares))
    groups = inference.plan([squares[place] for place in changing])
    done = 0
    if resume is not None:
        probabilities, winners = resume.tensors["probabilities"].clone(), resume.tensors["winners"].clone()
        done = int(resume.values["done"])

    def seen() -> Occluded:
        grid = (len(starts), len(starts))
        return Occluded(
            view, squares, clean, target, probabilities.view(grid), winners.view(grid), network.classes
        )

    while done < len(groups):
        found = _probabilities(
            inference.logits_of(groups[done], lambda place: fill.change(squares[changing[place]]))
        )
        places = [changing[int(member)] for batch in groups[done] for member in batch.members]
        probabilities[places], winners[places] = found[:, target], found.argmax(1)
        done += 1
        yield Step(
            done=done,
            total=len(groups),
            losses=dict,
            image=lambda: _map_so_far(seen()),
            state=partial(_state, probabilities, winners, done),
        )
    return _outcome(params, network.name, seen())


@dataclass(frozen=True)
class _Filler:
    """What a square shows, on the CPU."""

    fill: Fill
    view: Tensor
    window: int
    mean: Tensor

    def change(self, square: Rectangle) -> Change:
        """The square with its new pixels, (3, height, width)."""
        return Change(square, self._pixels(square))

    def is_idle(self, square: Rectangle) -> bool:
        """Whether the square shows what is there without it."""
        return torch.equal(self._pixels(square), square.of(self.view)[0])

    def _pixels(self, square: Rectangle) -> Tensor:
        part = square.of(self.view)[0]
        match self.fill:
            case "gray":
                color = self.mean.view(3, 1, 1)
            case "black":
                color = torch.zeros(3, 1, 1)
            case "white":
                color = torch.ones(3, 1, 1)
            case "local-mean":
                color = part.mean((1, 2), keepdim=True)
            case "blur":
                return square.of(self._blurred)[0]
        return color.to(part.dtype).expand_as(part)

    @cached_property
    def _blurred(self) -> Tensor:
        return blur(self.view, BLUR_SHARE * self.window)


def _state(probabilities: Tensor, winners: Tensor, done: int) -> StepState:
    """What is known after so many groups."""
    return StepState({"probabilities": probabilities.clone(), "winners": winners.clone()}, {"done": done})


def _map_so_far(seen: Occluded) -> Tensor:
    """The probability by position, (1, 3, S, S); that without a square where it is not computed yet."""
    return colorize(by_center(seen, seen.probabilities), scale_of(seen.probabilities))


def _probabilities(logits: Tensor) -> Tensor:
    """Probabilities on the CPU, (N, classes)."""
    probabilities = precise(logits).softmax(1).cpu()
    if not probabilities.isfinite().all():
        raise ComputationError("The scores of the network are not finite: its weights may be damaged.")
    return probabilities


def _outcome(params: ResolvedOcclusion, network: str, seen: Occluded) -> Outcome:
    drop = seen.mean_drop
    images = {
        "image": occlusion_figure(seen, params.fill),
        "view": seen.view.clone(),
        "occlusion": colorize(drop, drop_scale(drop)),
    }
    return Outcome(
        images,
        {"network": network, **_result(params, seen)},
        files={"map": File(_table(seen), "text/csv", ".csv")},
    )


def _result(params: ResolvedOcclusion, seen: Occluded) -> dict[str, Any]:
    changed = seen.changed
    rows = [_row(seen, place) for place in changed[:MOST_ROWS]]
    return {
        "class": seen.classes[seen.target],
        "index": seen.target,
        "probability": seen.probability,
        "top": verdict(seen.clean, seen.classes)["top"],
        "size": params.size,
        "window": params.window,
        "stride": params.stride,
        "positions": len(seen.squares),
        "largest_drop": _row(seen, seen.largest),
        "lowest": float(seen.probabilities.min()),
        "highest": float(seen.probabilities.max()),
        "changed_positions": len(changed),
        "changed": rows,
    }


def _row(seen: Occluded, place: int) -> dict[str, Any]:
    """What a square does: where it is, the probability of the class, and the class that wins."""
    square, winner = seen.squares[place], int(seen.winners.flatten()[place])
    probability = float(seen.probabilities.flatten()[place])
    return {
        "top": square.top,
        "left": square.left,
        "probability": probability,
        "drop": seen.probability - probability,
        "winner": seen.classes[winner],
        "winner_index": winner,
    }


def _table(seen: Occluded) -> bytes:
    """All squares as CSV, row by row."""
    text = io.StringIO()
    rows = [_row(seen, place) for place in range(len(seen.squares))]
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
