"""The table of an architecture: what each layer gives, costs and sees, without computing it."""

import csv
import io
from collections.abc import Sequence
from math import prod
from typing import Any

from app.errors import InputError
from app.kinds.architecture import COLUMNS, ResolvedArchitecture
from app.kinds.layer_lists import parse_layers
from models.layer_table import Counts, Fit, LayerRow, Shape, largest_step, network_table
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import File, Outcome, Step, Steps, StepState
from worker.understanding.architecture_figure import architecture_figure
from worker.understanding.layer_rows import layer_rows

# Bytes of a number: float32.
BYTES = 4
# Training keeps each value until its gradient of the same size is there; and of each parameter the number
# itself, its gradient and its momentum.
KEPT_VALUES, KEPT_PARAMETERS = 2, 3


def architecture(
    params: ResolvedArchitecture,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """A row for each layer of a network, or of a list of layers, and their sums.

    The result has ``table``, ``rounded`` (how sizes that are not whole were rounded) and ``totals``. Bytes
    are of float32, for one picture. Raises InputError.
    """
    del inputs, compute, resume
    shape = tuple(params.input)
    rows = _rows(params, network, shape)
    yield Step(1, 1, losses=dict, image=None, state=lambda: StepState({}, {}))
    table = [as_dict(row) for row in rows]
    sums = totals(shape, rows)
    name = "A list of layers" if network is None else network.name
    files = {
        "table": File(as_csv(table).encode(), "text/csv", ".csv"),
        "markdown": File(as_markdown(table).encode(), "text/markdown", ".md"),
    }
    result: dict[str, Any] = {} if network is None else {"network": network.name}
    result |= {"input": list(shape), "totals": sums, "table": table, "rounded": rounded(rows)}
    return Outcome({"image": architecture_figure(name, shape, rows, sums)}, result, files=files)


def _rows(params: ResolvedArchitecture, network: Network | None, shape: Shape) -> list[LayerRow]:
    if network is None:
        return layer_rows(parse_layers(params.layers or ""), shape, params.rounding)
    try:
        return network_table(network, *shape[1:])
    except ValueError as error:
        raise InputError("input", f"{error}.") from error


def as_dict(row: LayerRow) -> dict[str, Any]:
    """A row as JSON. Null: it has no window of its own, or each position sees the whole input."""
    window = row.window
    own = [fit for fit in row.fits if fit.name == row.name]
    return {
        "layer": row.name,
        "kind": row.kind,
        "window": None if window is None else window.size,
        "window_stride": None if window is None else window.stride,
        "padding": None if window is None else window.padding,
        "output": list(row.output),
        "size": "; ".join(map(_fit_text, own)) or None,
        "parameters": row.cost.parameters,
        "multiply_adds": row.cost.multiply_adds,
        "values": row.cost.values,
        "bytes": BYTES * row.cost.values,
        "training_bytes": KEPT_VALUES * BYTES * row.cost.values,
        "receptive_field": None if row.seen is None else row.seen.size,
        "stride": None if row.seen is None else row.seen.stride,
    }


def _fit_text(fit: Fit) -> str:
    return fit.formula + (f", {fit.rounding}: {fit.result}" if fit.rounding else "")


def rounded(rows: Sequence[LayerRow]) -> list[dict[str, Any]]:
    """The sizes that are not whole, of layers and within blocks: the division, and how it was rounded."""
    return [
        {"layer": fit.name, "size": fit.formula, "rounding": fit.rounding, "result": fit.result}
        for row in rows
        for fit in row.fits
        if fit.rounding is not None
    ]


def totals(given: Shape, rows: Sequence[LayerRow]) -> dict[str, int]:
    """The sums over all layers; ``inference_bytes`` is what the layer that needs most takes at once."""
    whole = sum((row.cost for row in rows), Counts(values=prod(given)))
    return {
        "parameters": whole.parameters,
        "parameter_bytes": BYTES * whole.parameters,
        "multiply_adds": whole.multiply_adds,
        "values": whole.values,
        "bytes": BYTES * whole.values,
        "inference_bytes": BYTES * largest_step(given, rows),
        "training_bytes": BYTES * (KEPT_VALUES * whole.values + KEPT_PARAMETERS * whole.parameters),
    }


def as_csv(table: Sequence[dict[str, Any]]) -> str:
    """The table as comma-separated values; sizes as 64x112x112."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "output": "x".join(map(str, row["output"]))} for row in table)
    return text.getvalue()


def as_markdown(table: Sequence[dict[str, Any]]) -> str:
    """The table in Markdown, numbers aligned at their right."""
    lines = [" | ".join(column.replace("_", " ") for column in COLUMNS)]
    lines.append(" | ".join("---" if column in ("layer", "output", "size") else "---:" for column in COLUMNS))
    for row in table:
        cells = {**row, "output": " × ".join(map(str, row["output"]))}
        lines.append(" | ".join(_cell(cells[column]) for column in COLUMNS))
    return "".join(f"| {line} |\n" for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
