"""What a service says of itself."""

from collections.abc import Mapping
from typing import Any

from impasto_client._core.calls import Call, Json
from impasto_client._core.session import Session
from impasto_client._core.uploads import as_list, is_reference
from impasto_client._generated.kinds import KINDS
from impasto_client._generated.models import Estimate


async def estimate(session: Session, kind: str, params: Mapping[str, Any]) -> Estimate:
    """What a job would take. Pictures are left out unless the service has them."""
    pictures = KINDS[kind].pictures if kind in KINDS else {}
    sent = dict(params)
    for field in pictures.keys() & params.keys():
        ids = [each for each in as_list(params[field]) if is_reference(each)]
        if not ids or len(ids) < len(as_list(params[field])):
            del sent[field]
    body = Json({"kind": kind, "params": sent})
    return (await session.send(Call(method="POST", path="/v1/estimate", body=body))).model(Estimate)


async def list_kinds(session: Session) -> list[dict[str, Any]]:
    """The kinds of job, with the JSON Schema of their params."""
    answer = await session.send(Call(method="GET", path="/v1/kinds"))
    kinds: list[dict[str, Any]] = answer.json()["items"]
    return kinds
