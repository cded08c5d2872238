"""What the tests of the page work with."""

import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

PATIENCE_SECONDS = 120


@dataclass
class Service:
    """`impasto serve` as a process of its own, on a port that it keeps over restarts."""

    data_dir: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until a worker is ready."""
        command = [str(Path(sys.executable).with_name("impasto")), "serve"]
        command += ["--port", str(self.port), "--data-dir", str(self.data_dir)]
        with (self.data_dir / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None, (self.data_dir / "serve.log").read_text()
            assert time.monotonic() < deadline, (self.data_dir / "serve.log").read_text()
            time.sleep(0.2)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/readyz", timeout=5):
                return True
        except (URLError, OSError):
            return False

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_SECONDS)


@dataclass
class Complaints:
    """What the browser complained of, and what a test expects it to.

    Chromium reports every answer of 400 and more as an error, also where the page shows it to the person.
    """

    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, *parts: str) -> None:
        """Complaints with all these parts are right."""
        self.expected.append(".*".join(map(re.escape, parts)))

    def unexpected(self) -> list[str]:
        """The complaints that no test expects."""
        return [text for text in self.found if not any(re.search(known, text) for known in self.expected)]
