"""Several pictures in one job: runs a kind's function once for each seed."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from typing import Any

import torch
from safetensors.torch import load, save

from app.errors import InputError
from app.kinds.fields import following_seeds
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState, map_steps
from worker.media.clips import Clip
from worker.media.contact_sheet import contact_sheet


def varied(function: Callable[..., Steps], shared: Sequence[str] = ()) -> Callable[..., Steps]:
    """Wraps a kind's function so that it makes ``params.variations`` pictures.

    A single picture is that of ``function``. Of several, each is what ``function`` makes from its seed, and
    its artifacts are numbered: ``image_0``, ``image_1``. The artifact ``image`` is a contact sheet. The
    result has ``pictures``, with the artifact, seed and numbers of each; tables, whose rows name their
    artifact; and the entries that ``shared`` names, which do not depend on the seed.

    The states of ``function`` have no parts, and its outcome has only pictures and numbers. Raises what
    ``function`` raises, and InputError for a clip.
    """

    @wraps(function)
    def several(
        params: Any,
        inputs: Inputs,
        network: Any,
        compute: Compute,
        resume: StepState | None = None,
    ) -> Steps:
        if params.variations == 1:
            return (yield from function(params, inputs, network, compute, resume))
        _require_stills(params, inputs)
        batch = _Batch(following_seeds(params.seed, params.variations))
        inner = None if resume is None else batch.restore(resume)
        while len(batch.results) < len(batch.seeds):
            update = {"seed": batch.seeds[len(batch.results)], "variations": 1}
            with closing(
                function(params.model_copy(update=update), inputs, network, compute, inner)
            ) as steps:
                # A resumed run is not at its first step.
                outcome = yield from batch.follow(steps, fresh=inner is None)
            batch.add(outcome)
            inner = None
        return batch.outcome(shared, opaque=params.keeps_alpha_of() is not None)

    return several


@dataclass
class _Batch:
    """The finished variations of ``seeds``: the pictures of each as files, and its result.

    ``names`` are the names of the pictures in order, which a file does not keep.
    """

    seeds: Sequence[int]
    files: list[bytes] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    names: Sequence[str] = ()

    def follow(self, steps: Steps, *, fresh: bool) -> Steps:
        """The steps of the next variation, counted within those of all."""
        number, count = len(self.results), len(self.seeds)

        def of_all(step: Step) -> Step:
            nonlocal fresh
            # The first state after the last picture holds that picture, and is smaller than its last state.
            milestone, fresh = step.milestone or (fresh and number > 0), False
            return replace(
                step,
                done=number * step.total + step.done,
                total=count * step.total,
                state=partial(self._state, step),
                milestone=milestone,
            )

        return map_steps(steps, of_all)

    def add(self, outcome: Outcome) -> None:
        """Keep the outcome of a variation, bit for bit."""
        self.files.append(save({name: each.contiguous() for name, each in outcome.images.items()}))
        self.results.append(outcome.result)
        self.names = list(outcome.images)

    def _state(self, step: Step) -> StepState:
        inner = step.state()
        return StepState(
            inner.tensors,
            {"variation": inner.values, "results": [*self.results]},
            {_part(number): file for number, file in enumerate(self.files)},
        )

    def restore(self, state: StepState) -> StepState:
        """Restore the finished variations; returns the state of the one in progress."""
        self.results = list(state.values["results"])
        self.files = [state.parts[_part(number)] for number in range(len(self.results))]
        return StepState(state.tensors, state.values["variation"])

    def outcome(self, shared: Sequence[str], *, opaque: bool) -> Outcome:
        """The sheet, the pictures, and the numbers. If ``opaque`` the sheet gets an alpha channel of 1."""
        made = [load(file) for file in self.files]
        images = {f"{name}_{number}": each[name] for name in self.names for number, each in enumerate(made)}
        sheet = contact_sheet(torch.cat([each["image"] for each in made]))
        if opaque:
            # Otherwise it would get the transparency of the input picture.
            sheet = torch.cat([sheet, torch.ones_like(sheet[:, :1])], dim=1)
        return Outcome({"image": sheet, **images}, self._numbers(shared))

    def _numbers(self, shared: Sequence[str]) -> dict[str, Any]:
        common = {name: value for name, value in self.results[0].items() if name in shared}
        rows: list[dict[str, Any]] = []
        tables: dict[str, list[dict[str, Any]]] = {}
        for number, (seed, result) in enumerate(zip(self.seeds, self.results, strict=True)):
            artifact = {"artifact": f"image_{number}"}
            own = {name: value for name, value in result.items() if name not in common}
            for name in [name for name, value in own.items() if _is_table(value)]:
                tables.setdefault(name, []).extend({**artifact, **row} for row in own.pop(name))
            rows.append({**artifact, "seed": seed, **own})
        return {**common, "pictures": rows, **tables}


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _part(number: int) -> str:
    return f"variation{number:02d}.safetensors"


def _require_stills(params: Any, inputs: Inputs) -> None:
    clips = [name for name, field in params.picture_fields().items() if field.clips and name in inputs]
    if any(isinstance(inputs.picture_or_clip(name), Clip) for name in clips):
        raise InputError(
            "variations", "Only a still picture has variations, and this is a clip: set it to 1."
        )
