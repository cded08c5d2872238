"""One supervised process."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from app.supervision.parent_watch import with_parent
from app.supervision.readiness import READY_VARIABLE

# How long a process may take to show its stacks. One that is frozen never does.
ABORT_SECONDS = 2.0


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this environment."""
    # -P: a folder named `app` in the working directory must not be imported.
    return [sys.executable, "-P", "-m", module, *arguments]


@dataclass
class Backoff:
    """How long to wait before a process that died is started again.

    Half a second, since a job may be waiting; of those that end before they are ready, as where a device is
    lost, doubled each time up to half a minute.
    """

    first: float = 0.5
    longest: float = 30.0
    _next: float = 0.0

    def pause(self, *, ready: bool) -> float:
        """Seconds to wait after a process that was, or never was, ready."""
        pause = self.first if ready else max(self._next, self.first)
        self._next = min(2 * pause, self.longest)
        return pause


class Child:
    """A process in a process group of its own, which is killed with everything that it started.

    ``command`` gets the process's worker id, a new one at each start, so that the jobs an earlier process
    held can be told from those of the current one.
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
        # Whether the last process, or any, said that it does its work. Known once it has ended.
        self.was_ready = self.ever_ready = False
        self.restart_at: float | None = None
        self.backoff = Backoff()
        self._command = command
        self._environment = with_parent(environment)
        self._nice = nice
        self._fds = (listener.fileno(),) if listener is not None else ()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready_pipe = -1
        # When a process of the group was aborted, by its id.
        self._aborted: dict[int, float] = {}

    def start(self) -> None:
        """Start the process."""
        self.worker_id = f"{socket.gethostname()[:64]}:{self.label.replace(' ', '-')}:{secrets.token_hex(4)}"
        self.returncode, self.killed, self.was_ready, self.restart_at = None, False, False, None
        self._aborted = {}
        own, given = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(self.worker_id),
                env={**self._environment, READY_VARIABLE: str(given)},
                stdin=subprocess.DEVNULL,
                # A terminal's Ctrl-C then reaches only the supervisor, which stops the others in order.
                process_group=0,
                pass_fds=(*self._fds, given),
            )
        except OSError:
            os.close(own)
            raise
        finally:
            os.close(given)
        os.set_blocking(own, False)
        self._ready_pipe = own
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

    def has(self, pid: int) -> bool:
        """Whether a process is of the group."""
        try:
            return self.pid is not None and os.getpgid(pid) == self.pid
        except ProcessLookupError:
            return False

    def died(self) -> bool:
        """Whether the process has ended since the last call; kills the rest of its group."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return False
        self._signal_group(self._process.pid, signal.SIGKILL)
        self._process, self.returncode = None, code
        self._read_ready()
        return True

    def _read_ready(self) -> None:
        """Note whether the process that has ended said that it was ready."""
        with contextlib.suppress(BlockingIOError), open(self._ready_pipe, "rb", buffering=0) as pipe:
            self.was_ready = bool(pipe.read(1))
        self.ever_ready = self.ever_ready or self.was_ready

    def terminate(self) -> None:
        """Ask the process to stop."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill the process and its group; :meth:`died` says when it has ended."""
        if self._process is not None:
            self.killed = True
            self._signal_group(self._process.pid, signal.SIGKILL)

    def abort(self, pid: int, now: float) -> bool:
        """Send SIGABRT to a process of the group, upon which it shows where it stands, and ends.

        Returns whether it may still be about to: for ABORT_SECONDS after the first call.
        """
        if pid not in self._aborted:
            if not self.has(pid):
                return False
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGABRT)
            self._aborted[pid] = now
        return now - self._aborted[pid] < ABORT_SECONDS

    @staticmethod
    def _signal_group(group: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)

    def describe_end(self) -> str:
        """How the last process ended, in words."""
        if self.returncode is None:
            return "is running"
        if self.returncode < 0:
            return f"was ended by {signal.Signals(-self.returncode).name}"
        return f"ended with exit code {self.returncode}"
