"""What jobs that failed show of too little memory."""

from typing import Any

import pytest
import torch

from worker.runtime.failures import describe_failure

CPU = torch.device("cpu")


def too_large() -> Exception:
    """What torch raises on the CPU of this system for more memory than there is."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**14)
    return caught.value


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), too_large()])
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"size": 512}, "size"),
        ({"size": 64, "batch_size": 4096}, "batch_size"),
        ({"batch_size": None}, "size"),
    ],
)
def test_too_little_memory_names_what_takes_it(error: Exception, params: dict[str, Any], field: str) -> None:
    told = describe_failure(error, "a", CPU, params)
    assert (told["type"], told["field"]) == ("out_of_memory", field)
    assert "smaller" in told["detail"] and field.split("_")[0] in told["detail"]


def test_what_nobody_knows_is_internal() -> None:
    assert describe_failure(RuntimeError("odd"), "a", CPU, {})["type"] == "internal"
