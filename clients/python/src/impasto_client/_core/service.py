"""What a service says of itself."""

from typing import Any

from impasto_client._core.calls import Call
from impasto_client._core.session import Session


async def list_kinds(session: Session) -> list[dict[str, Any]]:
    """The kinds of job, with the JSON Schema of their params."""
    answer = await session.send(Call(method="GET", path="/v1/kinds"))
    kinds: list[dict[str, Any]] = answer.json()["items"]
    return kinds
