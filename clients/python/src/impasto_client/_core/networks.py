"""The networks of a service."""

from collections.abc import AsyncGenerator
from pathlib import Path

from impasto_client._core.calls import Blob, Call, Form, Json, Repeat
from impasto_client._core.paging import pages
from impasto_client._core.session import Session
from impasto_client._generated.models import NetworkPage, NetworkView

NETWORKS = "/v1/networks"
# To send or to get a network; the first time, the service may have to convert it.
TRANSFER_SECONDS = 600.0


async def list_all(session: Session, sha256: str | None) -> AsyncGenerator[NetworkView, None]:
    """The shipped networks, then others, each by name."""
    async for page in pages(session, NETWORKS, NetworkPage, {"limit": 100, "sha256": sha256}):
        for view in page.items:
            yield view


async def get(session: Session, name: str) -> NetworkView:
    """A network with its layers."""
    return await session.get(f"{NETWORKS}/{name}", NetworkView)


async def import_file(session: Session, path: Path, name: str | None) -> NetworkView:
    """Import a network from a file that was exported."""
    form = Form([("file", Blob(path.name, path))], {} if name is None else {"name": name})
    call = Call(method="POST", path=NETWORKS, body=form, read_seconds=TRANSFER_SECONDS)
    return (await session.send(call)).model(NetworkView)


async def export(session: Session, name: str, path: Path) -> Path:
    """Write a network to a safetensors file."""
    target = path if path.suffix else path.with_name(f"{path.name}.safetensors")
    if target.suffix != ".safetensors":
        raise ValueError(f"{path} must end in .safetensors: that is the format it is written in.")
    return await session.download(f"{NETWORKS}/{name}/export", target, TRANSFER_SECONDS)


async def rename(session: Session, name: str, new_name: str) -> NetworkView:
    """Rename a network. Not sent again where the first attempt may have done it."""
    call = Call(
        method="PATCH", path=f"{NETWORKS}/{name}", body=Json({"name": new_name}), repeat=Repeat.UNDONE
    )
    return (await session.send(call)).model(NetworkView)


async def delete(session: Session, name: str) -> None:
    """Delete a network that was imported or trained."""
    await session.delete(f"{NETWORKS}/{name}")
