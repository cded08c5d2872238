"""What a service takes exclusively before it starts: its data folder and its port."""

import errno
import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_NAME = "impasto.lock"
_BACKLOG = 2048


class StartError(RuntimeError):
    """The service cannot start; the message is one line that says what to change."""


@contextmanager
def claim_data_dir(folder: Path) -> Iterator[None]:
    """Create and lock the data folder, so that no second service uses it.

    The lock ends with the process. Raises StartError.
    """
    advice = "Choose another folder with IMPASTO_DATA_DIR or --data-dir."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_NAME).open("w")
    except OSError as error:
        raise StartError(f"Cannot write to the data folder {folder}: {error.strerror}. {advice}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"Another service is using the data folder {folder}. {advice}") from None
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 picks a free one. Raises StartError if it cannot be opened."""
    advice = "Choose another with IMPASTO_PORT or --port."
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise StartError(f"Cannot listen on host {host!r} (IMPASTO_HOST): {error.strerror}.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        # Without it a port stays in use for a minute after the last service on it has ended.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        match error.errno:
            case errno.EADDRINUSE:
                raise StartError(f"Port {port} on {host} is taken. {advice}") from error
            case errno.EACCES:
                raise StartError(f"Port {port} needs privileges that this user lacks. {advice}") from error
            case _:
                raise StartError(
                    f"Cannot listen on {host}, port {port} (IMPASTO_HOST, IMPASTO_PORT): {error.strerror}."
                ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL at which this machine reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    return local_url(host, port)


def local_url(host: str, port: int) -> str:
    """The URL at which this machine reaches a service that listens on a host, which may be any address."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"
