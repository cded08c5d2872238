"""The kinds of job. The union of their params classes is the API."""

from app.jobs.kinds.base import Lane, Params
from app.jobs.kinds.style_transfer import StyleTransferParams

KINDS: dict[str, type[Params]] = {cls.kind: cls for cls in (StyleTransferParams,)}

__all__ = ["KINDS", "Lane", "Params", "StyleTransferParams"]
