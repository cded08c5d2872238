"""Results of jobs as classes of their kinds."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from impasto_client.errors import UnexpectedAnswer


class ResultPart(BaseModel):
    """A result, or a part of one. What a newer service adds is there, too, as plain JSON."""

    model_config = ConfigDict(extra="allow", frozen=True)


def typed_result(kind: str, result: Mapping[str, Any]) -> Any:
    """A result as the class of its kind; of a kind that this client does not know, as it is.

    Raises UnexpectedAnswer where something is missing, as it may be of a job of an earlier version.
    """
    # Classes of all kinds take a moment to build, which programs that only save pictures do not need.
    from impasto_client._generated.results import RESULTS

    if kind not in RESULTS:
        return dict(result)
    try:
        return RESULTS[kind].model_validate(result)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"The result of this {kind} is of another version; view.result has it as it is: {error}"
        ) from error
