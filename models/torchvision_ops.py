"""torchvision, imported so that it also works beside a CPU-only torch.

PyPI's torchvision is built for CUDA. Beside a CPU-only torch its compiled operators do not load, and
its import stops with "operator torchvision::nms does not exist", since it registers shapes for them.
Nothing here uses those operators, so declaring them is enough.
"""

import importlib
from types import ModuleType

import torch

# All operators that torchvision 0.26 to 0.28 names at import (torchvision/_meta_registrations.py).
OPERATORS = ("torchvision::nms", "torchvision::qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """The module torchvision, whether or not its compiled operators load."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if f"operator {OPERATORS[0]} does not exist" not in str(error):
            raise
    # Only after the first try: where the operators do load, declaring them would be a second definition.
    for operator in OPERATORS:
        torch.library.define(operator, SIGNATURE)
    return importlib.import_module("torchvision")
