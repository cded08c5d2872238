"""No param of any kind does nothing: another value of it makes something else."""

import json

import pytest

from app.database.ids import new_id
from app.datasets.repository import all_members, get_dataset
from app.datasets.service import DatasetService
from app.datasets.uploads import zip_key
from app.errors import InputError
from app.jobs.filling import submit_import
from app.jobs.storage_keys import work_folder
from app.kinds import KINDS
from tests.support.strange_pictures import noise
from tests.support.trials.base import Kind
from tests.support.trials.looks import LOOKS
from tests.support.trials.pictures import PICTURES
from tests.support.trials.running import Made, made
from tests.support.trials.training import TRAINING
from tests.support.worker_context import job_service, run
from tests.support.zips import zipped
from worker.runtime.context import WorkerContext

# What changes sets and weights, and computes nothing.
CHANGES = {
    "pull_weights": Kind({}, {}, {"network": "whose weights there are then"}),
    "import_members": Kind(
        {},
        {},
        {
            "dataset": "the set that there are more pictures in then",
            "upload": "the file that they are from",
            "label": "tried below",
            "close": "tried below",
        },
    ),
    "make_dataset": Kind({}, {}, {"dataset": "the set that there are pictures in then"}),
}
TABLES = {**PICTURES, **LOOKS, **TRAINING, **CHANGES}


def without_effect(kind: str, names: list[str]) -> list[str]:
    """The params of a kind that make no difference, each by its trial."""
    found = []
    known: dict[str, Made] = {}
    for name in names:
        first, second = TABLES[kind].jobs(name)
        if repr(first) not in known:
            known[repr(first)] = made(kind, first)
        if TABLES[kind].trials[name].refused:
            with pytest.raises(InputError):
                made(kind, second)
            continue
        before, after = known[repr(first)], made(kind, second)
        # That it was asked for is no effect.
        own = f"result {name}"
        if after.get(own) == json.dumps(second[name]):
            before, after = {**before, own: None}, {**after, own: None}
        if before == after:
            found.append(name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", {**PICTURES, **LOOKS, **TRAINING})
def test_every_param_has_an_effect(kind: str) -> None:
    assert without_effect(kind, list(TABLES[kind].trials)) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", {**PICTURES, **LOOKS, **TRAINING})
def test_the_same_params_make_the_same(kind: str) -> None:
    """Else every param would seem to have an effect."""
    job, _ = TABLES[kind].jobs(next(iter(TABLES[kind].trials)))
    assert made(kind, job) == made(kind, job)


def test_every_param_is_tried_or_there_is_a_reason() -> None:
    params = {name: set(spec.params.model_fields) for name, spec in KINDS.items()}
    assert params == {name: {*kind.trials, *kind.untried} for name, kind in TABLES.items()}
    assert not any({*kind.trials} & {*kind.untried} for kind in TABLES.values())


@pytest.mark.medium
@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("label", [None, "bird"])
def test_what_an_import_is_asked_for(context: WorkerContext, label: str | None, close: bool) -> None:
    datasets = DatasetService(context.settings, context.engine, context.storage)
    job_id, dataset = new_id(), datasets.begin("pets")
    context.storage.put(zip_key(work_folder(job_id)), zipped({"a.png": noise()}))
    submit_import(job_service(context), dataset, job_id, label=label, close=close)

    assert run(context).error is None
    found = get_dataset(context.engine, dataset.id)
    assert found.state == ("closed" if close else "open")
    assert [member.label for member in all_members(context.engine, found.id)] == [label]
