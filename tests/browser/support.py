"""The service as a process, the browser's console, and the form, for the tests of the page."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

import httpx
from playwright.sync_api import BrowserContext, Locator, Page, Route

from tests.support.service import wait_for
from tests.support.zips import class_folders, zipped

TIMEOUT_SECONDS = 240
# That a small job may take.
JOB_MS = 120_000
# Scripts of tests get a module of the page by the name of its file: `await load("api.js")`.
LOAD = """globalThis.load = (name) => {
    const { src } = document.querySelector("script[type=module]");
    return import(new URL(name, src));
};"""


@dataclass
class Service:
    """`impasto serve` as a process of its own, on a port that it keeps over restarts."""

    data_dir: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def on_free_port(cls, data_dir: Path) -> Self:
        """A service that is not started yet."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return cls(data_dir, probe.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it and wait until a worker is ready; ``environment`` is added to this process's."""
        command = [str(Path(sys.executable).with_name("impasto")), "serve"]
        command += ["--port", str(self.port), "--data-dir", str(self.data_dir)]
        with (self.data_dir / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
            )
        deadline = time.monotonic() + TIMEOUT_SECONDS
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

    def empty(self) -> None:
        """Delete all that was made in it; takes a fraction of the time of a new service's start."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with httpx.Client(base_url=f"{self.url}/v1", timeout=60, trust_env=False) as client:
            while found := self._made(client):
                assert time.monotonic() < deadline, found
                for path, each in found:
                    if each.get("state") in ("queued", "running"):
                        client.post(f"{path}/cancel")
                    else:
                        # Refused while another needs it, which goes first.
                        client.delete(path)
                time.sleep(0.05)

    @staticmethod
    def _made(client: httpx.Client) -> list[tuple[str, dict[str, Any]]]:
        """What there is that a new service has not, each with its path."""

        def listed(what: str, key: str, **query: str) -> list[tuple[str, dict[str, Any]]]:
            items = client.get(what, params={"limit": "100", **query}).raise_for_status().json()["items"]
            return [(f"{what}/{each[key]}", each) for each in items if each.get("origin") != "shipped"]

        found = listed("batches", "id") + listed("jobs", "id", batch="none")
        found += listed("datasets", "id") + listed("networks", "name")
        return found + listed("images", "id", unused="true")

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(TIMEOUT_SECONDS)


@dataclass
class ConsoleErrors:
    """Errors in the browser's console, and those that a test expects.

    Chromium reports every response of 400 and more as an error, also where the page handles it.
    """

    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, *parts: str) -> None:
        """Expect errors that contain all these parts, in this order."""
        self.expected.append(".*".join(map(re.escape, parts)))

    def unexpected(self) -> list[str]:
        """The errors that the test does not expect."""
        return [text for text in self.found if not any(re.search(known, text) for known in self.expected)]


def paint(service: Service, pictures: Path, *, steps: int) -> str:
    """A painting that goes on for a while; its id."""
    files = {name: (pictures / f"{name}.png").read_bytes() for name in ("content", "style")}
    params = {"params": json.dumps({"size": 64, "steps": steps, "optimizer": "adam"})}
    sent = httpx.post(f"{service.url}/v1/style-transfer", files=files, data=params, trust_env=False)
    return str(sent.raise_for_status().json()["id"])


def drop(page: Page, target: Locator, *paths: Path) -> None:
    """Drop files or folders of this machine there, as the browser's own drag and drop does."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        session.send("Input.dispatchDragEvent", {"type": kind, **point, "data": data})


@contextmanager
def held(page: Page, path: str, method: str = "POST") -> Iterator[Callable[[], None]]:
    """Requests to a path stay on their way, until what this yields is called, or it ends."""
    stopped: list[Route] = []
    is_open = False

    def release() -> None:
        nonlocal is_open
        is_open = True
        while stopped:
            stopped.pop().continue_()

    def stop(route: Route) -> None:
        if route.request.method == method and not is_open:
            stopped.append(route)
        else:
            route.continue_()

    page.route(path, stop)
    yield release
    release()


def first_lost(page: Page, path: str) -> list[str]:
    """The first request to a path gets no answer; its URL, once it was sent."""
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    page.route(path, lose_first)
    return lost


def urls_sent(page: Page, method: str) -> list[str]:
    """The URLs of the requests by a method that the page sends from now on, as they are sent."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == method else None)
    return sent


def file_input(page: Page, field: str) -> Locator:
    """The input that takes the files of a field of the form."""
    return page.locator(f"[data-field={field}] input[type=file]")


def problem_of(page: Page, field: str) -> Locator:
    """What is wrong with a field of the form."""
    return page.locator(f"[data-field={field}] .problem")


def result(page: Page, state: str) -> Locator:
    """The place of a result, in a state of its job."""
    return page.locator(f"#result[data-state={state}]")


def choose(page: Page, pictures: Path, *, size: int = 64, steps: int = 4, address: str = "/") -> None:
    """Open the page and fill in the form for a small painting."""
    page.goto(address)
    file_input(page, "content").set_input_files(pictures / "content.png")
    file_input(page, "style").set_input_files(pictures / "style.png")
    page.get_by_label("Size", exact=True).fill(str(size))
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("Steps").fill(str(steps))


def submit(page: Page) -> None:
    """Ask for the job of the form."""
    page.get_by_role("button", name="Paint", exact=True).click()


def job_ids(context: BrowserContext) -> list[str]:
    """The ids of the newest jobs."""
    return [job["id"] for job in context.request.get("/v1/jobs?limit=100").json()["items"]]


def give_a_label(page: Page, service: Service, name: str) -> Locator:
    """Make a set, and give one of its pictures another label; the dialog, in which to save that."""
    file = {"file": (f"{name}.zip", zipped(class_folders(robin=2, wren=2)))}
    data = {"params": json.dumps({"name": name})}
    httpx.post(f"{service.url}/v1/datasets", files=file, data=data, trust_env=False).raise_for_status()
    path = f"{service.url}/v1/datasets/{name}"
    wait_for(lambda: httpx.get(path, trust_env=False).json()["state"] == "closed")
    page.goto("/")
    page.locator(f".entry[data-name={name}]").get_by_role("button", name="Look at it").click()
    dialog = page.get_by_role("dialog", name=name)
    dialog.locator(".sheet button").first.click()
    dialog.get_by_label("Give them the label").fill("owl")
    dialog.get_by_label("Give them the label").press("Enter")
    return dialog
