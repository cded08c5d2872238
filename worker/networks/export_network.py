"""Networks as ONNX models."""

from importlib.util import find_spec

from app.errors import ComputationError, InputError
from app.kinds.export_network import ExportNetworkParams
from models.network import Network
from models.onnx_graph import INPUT, OPSET, OUTPUTS, NeedsSize, NotExportable, notes_of, to_onnx
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import File, Outcome, Step, Steps, StepState

MEDIA_TYPE = "application/octet-stream"


def export_network(
    params: ExportNetworkParams,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Write a network as ONNX, and its labels, one a line.

    Raises InputError on ``network`` or ``size``, and ComputationError if the package onnx is missing.
    """
    if find_spec("onnx") is None:
        raise ComputationError(
            "The package onnx is not installed where this job ran: install it with pip install "
            "'impasto[onnx]', and restart the worker."
        )
    smallest = network.minimum_side(["logits"])
    if params.size is not None and params.size < smallest:
        raise InputError("size", f"{network.name} needs {smallest} px at least.")
    try:
        model, side = _write(network, params.size)
    except NeedsSize as error:
        raise InputError("size", f"{error} Give the side of that in pixels.") from error
    except NotExportable as error:
        raise InputError("network", str(error)) from error
    yield Step(1, 1, losses=dict, image=None, state=lambda: StepState({}, {}))
    labels = "".join(f"{' '.join(label.split())}\n" for label in network.classes)
    return Outcome(
        result={
            "input": {"name": INPUT, "shape": ["N", 3, side or "H", side or "W"], "range": [0, 1]},
            "outputs": {name: ["N", network.layers[-1].channels] for name in OUTPUTS},
            "opset": OPSET,
            "bytes": len(model),
            "sha256": network.sha256,
        },
        files={
            "model": File(model, MEDIA_TYPE, ".onnx"),
            "labels": File(labels.encode(), "text/plain; charset=utf-8", ".txt"),
        },
    )


def _write(network: Network, side: int | None) -> tuple[bytes, int | None]:
    """The model, and the side in pixels that it takes: the one asked for, or any, or the network's own."""
    notes = notes_of(network)
    try:
        return to_onnx(network, side, notes), side
    except NeedsSize:
        if network.input_size is None:
            raise
        return to_onnx(network, network.input_size, notes), network.input_size
