"""The functions that compute a kind, found by the entry points that its spec names."""

from functools import cache
from pkgutil import resolve_name
from typing import Protocol

from app.kinds import Params, spec_of
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.stacks import StackFunction
from worker.contract.steps import Steps, StepState
from worker.synthesis.variations import varied


class KindFunction(Protocol):
    """Computes a kind, as :mod:`worker.contract.steps` says."""

    def __call__(
        self,
        params: Params,
        inputs: Inputs,
        network: Network | None,
        compute: Compute,
        resume: StepState | None = None,
    ) -> Steps: ...


def steps_of(
    params: Params, inputs: Inputs, network: Network | None, compute: Compute, resume: StepState | None = None
) -> Steps:
    """The steps of a job of resolved params, from the start or from a state."""
    spec = spec_of(params)
    function = load_function(spec.function)
    if spec.shared_by_variations is not None:
        function = varied(function, spec.shared_by_variations)
    return function(params, inputs, network, compute, resume)


@cache
def load_function(entry_point: str) -> KindFunction:
    """The function of an entry point, "module:name"."""
    function: KindFunction = resolve_name(entry_point)
    return function


@cache
def load_stack_function(entry_point: str) -> StackFunction:
    """The stack function of an entry point, "module:name"."""
    function: StackFunction = resolve_name(entry_point)
    return function
