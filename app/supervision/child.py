"""One supervised process."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from app.supervision.parent_watch import with_parent


@dataclass
class Backoff:
    """How long to wait before a process that died is started again.

    Half a second, doubled each time up to four, since a job may be waiting. Over again after a life of three
    seconds, so that a process that never comes up is tried often enough, and one that worked is back at once.
    """

    first: float = 0.5
    longest: float = 4.0
    stable_after: float = 3.0
    _next: float = 0.0

    def pause(self, lived: float) -> float:
        """Seconds to wait after a process that lived for ``lived`` seconds."""
        pause = self.first if lived >= self.stable_after else max(self._next, self.first)
        self._next = min(2 * pause, self.longest)
        return pause


class Child:
    """A process in a group of its own, so that its end is the end of all that it started.

    ``command`` gets the name of the life about to begin, new for each: what an earlier life held in the
    database can be told from what this one holds.
    """

    def __init__(
        self,
        label: str,
        command: Callable[[str], list[str]],
        environment: Mapping[str, str],
        *,
        nice: int = 0,
        listener: socket.socket | None = None,
    ) -> None:
        self.label = label
        self.worker_id = ""
        self.returncode: int | None = None
        self.killed = False
        self.started_at = 0.0
        self.restart_at: float | None = None
        self.backoff = Backoff()
        self._command = command
        self._environment = with_parent(environment)
        self._nice = nice
        self._fds = (listener.fileno(),) if listener is not None else ()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, now: float) -> None:
        """Begin a life."""
        self.worker_id = f"{socket.gethostname()[:64]}:{self.label.replace(' ', '-')}:{secrets.token_hex(4)}"
        self.returncode, self.killed, self.restart_at, self.started_at = None, False, None, now
        self._process = subprocess.Popen(  # noqa: S603
            self._command(self.worker_id),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            # A terminal's Ctrl-C goes to the supervisor alone, which then ends the others in order.
            process_group=0,
            pass_fds=self._fds,
        )
        if self._nice:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, os.nice(0) + self._nice)

    @property
    def pid(self) -> int | None:
        """The process id, or None while there is no process."""
        return self._process.pid if self._process is not None else None

    def is_among(self, worker_ids: Iterable[str]) -> bool:
        """Whether one of these worker ids is that of this process, or of a child named after it."""
        prefix = f"{self.worker_id}:"
        return any(other == self.worker_id or other.startswith(prefix) for other in worker_ids)

    def died(self) -> bool:
        """Whether the process has ended since it was last asked; ends what it left behind."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return False
        self._signal_group(self._process.pid, signal.SIGKILL)
        self._process, self.returncode = None, code
        return True

    def terminate(self) -> None:
        """Ask the process to stop."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process and its group at once; :meth:`died` tells when."""
        if self._process is not None:
            self.killed = True
            self._signal_group(self._process.pid, signal.SIGKILL)

    @staticmethod
    def _signal_group(group: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)

    def describe_end(self) -> str:
        """How the last life ended, in words."""
        if self.returncode is None:
            return "is running"
        if self.returncode < 0:
            return f"was ended by {signal.Signals(-self.returncode).name}"
        return f"ended with exit code {self.returncode}"
