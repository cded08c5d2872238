"""Makes jobs fit into the memory of a worker, and says so where they do not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.errors import InputError, OutOfMemory
from app.jobs.admission import growing_param, memory_of, refusal, remedy, spending_within
from app.kinds import Params
from app.kinds.work import SPENDINGS
from app.networks.card import NetworkCard
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.optim.ladder import is_out_of_memory

# What was predicted for the pictures of a job that ran out of memory, times this, is what the next may take.
LESS = 0.8


def fitted(params: Params, inputs: Inputs, compute: Compute, memory_bytes: int) -> Compute:
    """How a job of resolved params computes with so much memory: in smaller tiles where it needs to.

    Raises InputError that names the size that fits if the job cannot fit.
    """
    cards = cards_of(inputs)
    # Pictures are decoded only where their shape matters.
    spending = spending_within(params, cards, 1.0, memory_bytes)
    if spending != SPENDINGS[0]:
        shape = shape_of(params, inputs)
        spending = spending_within(params, cards, shape, memory_bytes)
        refused = refusal(params, cards, shape, memory_bytes)
        if refused is not None:
            raise InputError(refused.field, refused.detail)
    return compute if spending is None else replace(compute, spending=spending)


@contextmanager
def saying_what_fits(params: Params, inputs: Inputs, memory_bytes: int) -> Iterator[None]:
    """Turn errors for lack of memory into one that names the size that fits, as predicted.

    Raises OutOfMemory.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(params, inputs, memory_bytes) from error


def out_of_memory(params: Params, inputs: Inputs, memory_bytes: int) -> OutOfMemory:
    """The error of a job that ran out of memory in spite of all that was given up for it."""
    cards, shape, field = cards_of(inputs), shape_of(params, inputs), growing_param(params) or "size"
    smallest = params.model_copy(update={field: 1})
    base, predicted = (memory_of(each, cards, shape, SPENDINGS[-1]) for each in (smallest, params))
    # There was less than the worker may have, or the job took more than was predicted.
    fits = remedy(params, cards, shape, min(memory_bytes, base + round(LESS * (predicted - base))))
    shown = getattr(params, field, None)
    return OutOfMemory(field, f"There was too little memory for {field} {shown}: {fits}")


def cards_of(inputs: Inputs) -> list[NetworkCard | None]:
    """The card of the network that a job needs; None: it needs none."""
    return [next(iter(inputs.cards.values()), None)]


def shape_of(params: Params, inputs: Inputs) -> float:
    """Shorter over longer side of the first picture of a job; 1 if it has none, or it is a clip."""
    first = next(iter(params.pictures()), None)
    if first is None or first not in inputs or params.picture_fields()[first].clips:
        return 1.0
    height, width = inputs.pictures(first)[0].shape[-2:]
    return min(height, width) / max(height, width)
