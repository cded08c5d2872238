"""Wake-ups between the processes of one machine: datagrams over Unix sockets.

A wake-up is only a hint that the database is worth a look: one that is lost loses nothing, since everybody
also looks by himself now and then.
"""

import contextlib
import hashlib
import os
import select
import socket
import tempfile
from pathlib import Path

MAX_DATAGRAM = 256


def run_dir(data_dir: Path) -> Path:
    """The folder of the sockets of a service; private to its user.

    It lies in the folder for temporary files because the path of a socket has at most 104 bytes.
    """
    name = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"impasto-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.stat(follow_symlinks=False)
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else or is open to others: remove it.")
    return folder


class WakeupSocket:
    """A socket that wake-ups arrive at. ``channel`` says what for; several may listen to one."""

    def __init__(self, folder: Path, channel: str) -> None:
        self._path = folder / f"{channel}.{os.getpid()}"
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """For select and event loops."""
        return self._socket.fileno()

    def take(self) -> list[str]:
        """The messages that are there, without waiting."""
        messages = []
        with contextlib.suppress(BlockingIOError):
            while True:
                messages.append(self._socket.recv(MAX_DATAGRAM).decode(errors="replace"))
        return messages

    def wait(self, seconds: float) -> list[str]:
        """The messages that are there, or that come within some seconds."""
        select.select([self._socket], [], [], seconds)
        return self.take()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


def post(folder: Path, channel: str, message: str) -> None:
    """Send a wake-up to all that listen to a channel. Boxes of the dead are removed."""
    data = message.encode()[:MAX_DATAGRAM]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for box in folder.glob(f"{channel}.*"):
            try:
                sender.sendto(data, str(box))
            except (ConnectionRefusedError, FileNotFoundError):
                box.unlink(missing_ok=True)
            except BlockingIOError:
                # A full box is one that was woken often enough.
                continue
