"""A real service on a free port, and a real Chromium that looks at it."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_SECONDS = 120
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))"""


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        pytest.skip(f"No Chromium on the PATH (looked for {', '.join(CHROMIUM_NAMES)}).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service with data of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = Service(tmp_path_factory.mktemp("data"), port)
    service.start()
    yield service
    service.stop()


@dataclass
class Complaints:
    """What the browser complained of, and the failed requests that a test expects."""

    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, status: int, path: str) -> None:
        """Chromium reports every answer of 400 and more as an error; the page shows it to the person."""
        self.expected.append(f"{status} {path}")

    def unexpected(self) -> list[str]:
        return [
            text
            for text in self.found
            if not any(all(part in text for part in pair.split()) for pair in self.expected)
        ]


@pytest.fixture
def complaints() -> Complaints:
    """Errors of the console, of scripts and of the Content-Security-Policy: there must be none."""
    return Complaints()


@pytest.fixture
def context(browser: Browser, service: Service) -> Iterator[BrowserContext]:
    """A fresh profile whose addresses are relative to the service."""
    context = browser.new_context(
        base_url=service.url, viewport={"width": 1280, "height": 900}, accept_downloads=True
    )
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, complaints: Complaints) -> Iterator[Page]:
    """A tab; the test fails if the browser complains of anything that the test does not expect."""
    page = context.new_page()
    page.add_init_script(TELL_VIOLATIONS)
    page.on("pageerror", lambda error: complaints.found.append(f"script: {error}"))
    page.on(
        "console",
        lambda message: (
            complaints.found.append(f"{message.text} {message.location.get('url')}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    yield page
    page.close()
    assert complaints.unexpected() == []


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a landscape (content.png, 160x120) and a striped painting (style.png, 90x120)."""
    folder = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[0:120, 0:160] / 120
    landscape = np.stack([y, 0.5 + 0.5 * np.sin(6 * x), 1 - y], axis=2)
    painting = np.stack([np.sin(40 * (x + y)), np.cos(30 * x), np.sin(25 * y)], axis=2)[:, :90] / 2 + 0.5
    for name, picture in (("content", landscape), ("style", painting)):
        Image.fromarray((255 * picture).astype(np.uint8)).save(folder / f"{name}.png")
    return folder
