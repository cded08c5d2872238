"""Tensors in files: written and read one by one, bit for bit."""

import json
from io import BytesIO

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from app.networks.weights_file import MalformedFile
from tests.support.peak_memory import PeakMemory
from worker.contract.steps import StepState
from worker.runtime import checkpoints, tensor_files
from worker.runtime.tensor_files import TensorFile, read_metadata, read_tensors

TENSORS = {
    "flags": torch.tensor([True, False, True]),
    "halves": torch.randn(3, 5).bfloat16(),
    "number": torch.tensor(2.5),
    "none": torch.empty(0, 4),
    "places": torch.arange(7),
    "precise": torch.randn(2, 1, 3, dtype=torch.float64),
    "turned": torch.randn(4, 6).T,
}


def written(tensors: dict[str, torch.Tensor]) -> bytes:
    return b"".join(TensorFile(tensors, {"kind": "a", "text": "é\n"}))


@pytest.mark.parametrize("chunk", [8, 1 << 22])
def test_tensors_come_back_bit_for_bit(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(tensor_files, "CHUNK", chunk)
    data = written(TENSORS)
    found = read_tensors(BytesIO(data))
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
        assert found[name].is_contiguous()
    assert read_metadata(BytesIO(data)) == {"kind": "a", "text": "é\n"}


def test_others_can_read_it_and_it_reads_theirs() -> None:
    kept = {name: tensor.contiguous() for name, tensor in TENSORS.items()}
    theirs = load_tensors(written(kept))
    assert all(torch.equal(theirs[name], tensor) for name, tensor in kept.items())
    ours = read_tensors(BytesIO(save_tensors(kept, metadata={"x": "y"})))
    assert all(torch.equal(ours[name], tensor) for name, tensor in kept.items())


def test_what_is_the_same_is_written_once_and_is_the_same_again() -> None:
    picture = torch.randn(1, 3, 40, 50)
    tensors = {"best": picture, "variables": picture, "other": picture.clone(), "row": picture[..., :1, :]}
    data = written(tensors)
    assert 2 * picture.nbytes < len(data) < 2.2 * picture.nbytes
    found = read_tensors(BytesIO(data))
    assert found["best"] is found["variables"] and found["best"] is not found["other"]
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_reading_takes_what_is_read_and_writing_a_chunk() -> None:
    picture = torch.randn(1, 3, 400, 500)
    file = BytesIO(written({"one": picture, "other": picture + 1}))
    with PeakMemory() as memory:
        found = read_tensors(file)
    assert memory.peak <= sum(tensor.nbytes for tensor in found.values())
    with PeakMemory() as memory:
        for _ in TensorFile(found, {}):
            pass
    assert memory.peak == 0


def spoiled(**changes: object) -> bytes:
    data = written({"x": torch.zeros(4)})
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["x"] |= changes
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(20),
        written(TENSORS)[:-1],
        spoiled(dtype="F7"),
        spoiled(shape=[5]),
        spoiled(shape=[-4]),
        spoiled(data_offsets=[0, 1 << 40]),
        b"".join(TensorFile({"x": torch.zeros(1)}, {"impasto_same": '{"y": "z"}'})),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedFile):
        read_tensors(BytesIO(data))


def test_states_of_the_format_before_can_be_read() -> None:
    tensors = {"best": torch.randn(1, 3, 4, 4), "optimizer.steps": torch.randn(2, 3, 4, 4)}
    old = save_tensors(tensors, metadata={"impasto_format": "2", "impasto_values": '{"taken": 3}'})
    state = checkpoints.from_bytes(old)
    assert state.values == {"taken": 3}
    assert all(torch.equal(state.tensors[name], tensor) for name, tensor in tensors.items())
    with pytest.raises(checkpoints.CheckpointError, match="format 1"):
        checkpoints.from_bytes(save_tensors(tensors, metadata={"impasto_values": "{}"}))
    assert checkpoints.to_bytes(StepState({}, {}))[8:9] == b"{"
