"""A real service on a free port, and a real Chromium that shows its page."""

import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.support import LOAD, ConsoleErrors, Service

# The first is without windows, and opens a page in a quarter of the time of a core that the others take.
CHROMIUM_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A camera that shows a moving test picture, and that pages may use without asking.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
# A busy machine may be slow to show what the page shows at once.
expect.set_options(timeout=20_000)

LOG_CSP_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))"""


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


@pytest.fixture(scope="session")
def shared_service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service with data of its own: its start takes longer than most files of tests."""
    service = Service.on_free_port(tmp_path_factory.mktemp("data"))
    # Less than any machine has, so that what is too large is so everywhere.
    service.start({"IMPASTO_WORKER_MEMORY_BYTES": "2000000000"})
    yield service
    service.stop()


@pytest.fixture(scope="module")
def service(shared_service: Service) -> Iterator[Service]:
    """A running service, empty for each file."""
    yield shared_service
    shared_service.empty()


@pytest.fixture
def console_errors() -> ConsoleErrors:
    """Errors of the console, of scripts and of the Content-Security-Policy; a test expects none."""
    console_errors = ConsoleErrors()
    # The last preview is deleted when the job ends, which may be while the page fetches it.
    console_errors.expect("404", "/artifacts/preview")
    # Lists show small copies of all that was uploaded, broken.png too, which has none, and what the page
    # of the test before still deletes as it is closed.
    console_errors.expect("415", "/content?side=")
    console_errors.expect("404", "/content?side=")
    return console_errors


@pytest.fixture
def context(browser: Browser, service: Service) -> Iterator[BrowserContext]:
    """A fresh profile whose addresses are relative to the service."""
    context = browser.new_context(
        base_url=service.url, viewport={"width": 1280, "height": 900}, accept_downloads=True
    )
    context.add_init_script(LOAD)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, console_errors: ConsoleErrors) -> Iterator[Page]:
    """A tab; the test fails on console errors that it does not expect."""
    page = context.new_page()
    page.add_init_script(LOG_CSP_VIOLATIONS)
    page.on("pageerror", lambda error: console_errors.found.append(f"script: {error}"))
    page.on(
        "console",
        lambda message: (
            console_errors.found.append(f"{message.text} {message.location.get('url')}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    yield page
    page.close()
    assert console_errors.unexpected() == []


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A landscape (content.png, 160x120), its negative, a striped style picture, and broken.png.

    The header and the checksums of broken.png are right, but its pixels end too early.
    """
    folder = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[0:120, 0:160] / 120
    landscape = np.stack([y, 0.5 + 0.5 * np.sin(6 * x), 1 - y], axis=2)
    stripes = np.stack([np.sin(40 * (x + y)), np.cos(30 * x), np.sin(25 * y)], axis=2)[:, :90] / 2 + 0.5
    for name, picture in (("content", landscape), ("style", stripes), ("other", 1 - landscape)):
        Image.fromarray((255 * picture).astype(np.uint8)).save(folder / f"{name}.png")
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(b"abc")), _chunk(b"IEND", b""))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return folder


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
