"""Wake-ups between the processes of one machine: datagrams over Unix sockets.

A wake-up only says that the database is worth reading. A lost one loses nothing, since every receiver also
polls.
"""

import contextlib
import hashlib
import os
import select
import socket
import tempfile
from pathlib import Path

MAX_DATAGRAM = 256
# What the path of a socket may have, with the zero at its end, on every system, and what its name may take.
PATH_BYTES = 104
NAME_BYTES = 32


def run_dir(data_dir: Path) -> Path:
    """The folder of a service's sockets, private to its user. PermissionError if it is not.

    It is among the temporary files, or in /tmp if these are at a path too long for a socket.
    """
    name = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"impasto-{os.getuid()}-{name}"
    if len(os.fsencode(folder)) + NAME_BYTES >= PATH_BYTES:
        # Anybody may write there, so the folder is checked below.
        folder = Path("/tmp") / folder.name  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.stat(follow_symlinks=False)
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to another user or is open to others: remove it.")
    return folder


class WakeupSocket:
    """A socket that receives the wake-ups of a channel. Several processes may listen to one channel."""

    def __init__(self, folder: Path, channel: str) -> None:
        self._path = folder / f"{channel}.{os.getpid()}"
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """For select and event loops."""
        return self._socket.fileno()

    def receive(self) -> list[str]:
        """The messages that have arrived, without waiting."""
        messages = []
        with contextlib.suppress(BlockingIOError):
            while True:
                messages.append(self._socket.recv(MAX_DATAGRAM).decode(errors="replace"))
        return messages

    def wait(self, seconds: float) -> list[str]:
        """The messages that have arrived, or arrive within some seconds."""
        select.select([self._socket], [], [], seconds)
        return self.receive()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


def send_wakeup(folder: Path, channel: str, message: str) -> None:
    """Send a wake-up to every listener of a channel. Sockets of processes that have ended are removed."""
    data = message.encode()[:MAX_DATAGRAM]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for path in folder.glob(f"{channel}.*"):
            try:
                sender.sendto(data, str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
            except BlockingIOError:
                # Its queue is full, so the receiver has wake-ups enough.
                continue
