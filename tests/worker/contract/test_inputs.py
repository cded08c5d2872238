import gc
import weakref
from collections.abc import Iterator

import pytest
import torch

from worker.contract.inputs import Inputs


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage collection, which an idle worker may not come to."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_what_a_job_has_decoded_ends_with_it() -> None:
    inputs = Inputs.of({"content": [torch.zeros(1, 3, 8, 8)]})
    picture = weakref.ref(inputs.picture("content"))
    assert picture() is not None
    del inputs
    assert picture() is None
