"""Whether a job fits into the memory that a worker has, as predicted, and which size would."""

from collections.abc import Iterable, Mapping

from app.errors import FieldError
from app.jobs.history import worker_bytes
from app.kinds import Params
from app.kinds.work import NUMBER, SPENDINGS, Spending
from app.networks.card import NetworkCard

# Of libraries, which load code and keep buffers when a process computes its first job: 75 to 95 MB were
# measured of the smallest jobs of several kinds.
LIBRARIES = 80_000_000

# What the memory of a job grows with, the first of them that it has.
_FIELDS = ("batch_size", "size")


def shape_of(params: Params, sides: Mapping[str, tuple[int, int]]) -> float | None:
    """Shorter over longer side of the first picture of a job, which those that it computes are like.

    ``sides`` are those of pictures by reference. 1 without a picture; None if the sides are not known.
    """
    references = next(iter(params.pictures().values()), None)
    if not references:
        return 1.0
    known = sides.get(references[0])
    return None if known is None else min(known) / max(known)


def memory_of(
    params: Params,
    cards: Iterable[NetworkCard | None],
    shape: float = 1.0,
    spending: Spending = SPENDINGS[0],
) -> int:
    """Bytes that a worker takes for a job of resolved params, about.

    ``cards`` are of the network that the job needs, if it does, and of further ones.
    """
    card, *further = cards
    weights = sum(NUMBER * each.parameters for each in (card, *further) if each is not None)
    activations = 0.0 if card is None else params.shaped_bytes(card, spending, shape)
    return worker_bytes() + LIBRARIES + weights + round(activations)


def spending_within(
    params: Params, cards: Iterable[NetworkCard | None], shape: float, memory_bytes: int
) -> Spending | None:
    """The most that a job may spend to fit into the memory; None: even the least is too much."""
    cards = list(cards)
    fitting = (one for one in SPENDINGS if memory_of(params, cards, shape, one) <= memory_bytes)
    return next(fitting, None)


def refusal(
    params: Params, cards: Iterable[NetworkCard | None], shape: float, memory_bytes: int
) -> FieldError | None:
    """Why a job is refused that cannot fit into the memory of a worker, naming what fits; None: it can."""
    field, cards = growing_param(params), list(cards)
    if field is None or spending_within(params, cards, shape, memory_bytes) is not None:
        return None
    least = memory_of(params, cards, shape, SPENDINGS[-1])
    return FieldError(
        field,
        f"At {field} {getattr(params, field)} this takes {least / 1e9:.1f} GB of memory or more, and a "
        f"worker has {memory_bytes / 1e9:.1f} GB: {remedy(params, cards, shape, memory_bytes)}",
    )


def remedy(params: Params, cards: Iterable[NetworkCard | None], shape: float, memory_bytes: int) -> str:
    """The end of a sentence that names the largest size, or batch size, that fits into the memory."""
    field, cards = growing_param(params), list(cards)
    if field is None:
        return "take another network, or a machine that has more."
    fits, too_large = 0, getattr(params, field)
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        changed = params.model_copy(update={field: middle})
        if spending_within(changed, cards, shape, memory_bytes) is None:
            too_large = middle
        else:
            fits = middle
    if fits == 0:
        return f"no {field} fits; take another network, or a machine that has more."
    return f"the largest {field} that fits is {fits}."


def growing_param(params: Params) -> str | None:
    """The param that the memory of a job grows with; None: there is none."""
    return next((name for name in _FIELDS if isinstance(getattr(params, name, None), int)), None)
