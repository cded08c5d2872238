"""A ZIP that is made a set, and a matrix over its pictures, from the upload to the results."""

import pytest

from app.batches.results import results_of
from app.batches.schemas import Matrix
from app.batches.service import Options
from app.jobs.states import State
from tests.support.batch_context import BatchContext
from tests.support.worker_context import queue_import, run
from tests.support.zips import class_folders, zipped
from worker.runtime.context import WorkerContext


@pytest.mark.medium
def test_a_matrix_over_a_zip_computes_each_of_its_pictures(context: WorkerContext) -> None:
    queue_import(context, zipped(class_folders(cat=2, dog=1)))
    assert run(context).state is State.SUCCEEDED
    batches = BatchContext(context.engine, context.settings.data_dir)
    matrix = Matrix(kind="classify", params={"network": "palette"}, over={"image": "pets", "top": [1, 2]})
    raw = matrix.model_dump_json().encode()
    batch = batches.service.create_from_matrix(raw, matrix, Options(name="pets", priority=4))
    assert batch.matrix is not None
    assert [axis["labels"] for axis in batch.matrix["axes"]] == [["0", "1", "0"], ["1", "2"]]
    batches.keep()
    for _ in range(batch.lines):
        if batches.service.get(batch.id).ended:
            break
        run(context)
    assert batches.service.get(batch.id).state == "succeeded"
    found = list(results_of(context.engine, batch.id))
    text = b"".join(each if isinstance(each, bytes) else each.encode() for each in found).decode()
    names = ["0--1", "0--2", "1--1", "1--2", "0-2--1", "0-2--2"]
    assert [line.split('"custom_id":')[1].split('"')[1] for line in text.splitlines()] == names
