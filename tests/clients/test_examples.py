"""The examples of the documentation, run as they stand against a real service."""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from impasto_client import Client
from tests.support.service import Service
from tests.support.strange_pictures import noise

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "clients" / "python" / "README.md", ROOT / "docs" / "client.md"]
# What a call that says nothing of size or steps is given here, so that it takes a moment.
SMALL = {"style_transfer": {"size": 48, "steps": 3}}


def examples(page: Path) -> str:
    """The Python of a page, each line where it is there, so that an error shows its place."""
    shown, on = [], False
    for line in page.read_text().splitlines():
        fence = re.fullmatch("```(python)?", line)
        on = fence[1] is not None if fence else on
        shown.append(line if on and not fence else "")
    return "\n".join(shown)


def lay_out(folder: Path) -> None:
    """The files that the pages speak of."""
    for seed, name in enumerate(("photo", "painting", "sketch", "photos/a", "photos/b")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.jpg").write_bytes(noise("JPEG", (48, 32), seed))
    for seed, name in enumerate(("robin/1", "robin/2", "wren/1")):
        (folder / "birds" / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / "birds" / f"{name}.png").write_bytes(noise(seed=10 + seed))


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    # The README has a job of each kind: minutes of them on a slow machine.
    [pytest.param(page, marks=pytest.mark.long if page.name == "README.md" else []) for page in PAGES],
    ids=lambda page: page.name,
)
def test_examples_run(page: Path, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_URL", service.url)
    submit = Client._submit

    def submit_small(client: Client, kind: str, given: Mapping[str, Any]) -> Any:
        # A job that continues another has that one's size.
        small = {} if "continue_from" in given else SMALL.get(kind, {})
        return submit(client, kind, {**small, **given})

    monkeypatch.setattr(Client, "_submit", submit_small)
    code = compile(examples(page), str(page), "exec")
    # In a thread, as the browser's tests leave this one's event loop running.
    with ThreadPoolExecutor() as threads:
        threads.submit(exec, code, {"__name__": "example"}).result()
    # What they say that they write is there.
    written = set(re.findall(r'"([\w-]+\.(?:png|zip|jpg|json|safetensors))"', examples(page)))
    assert all((tmp_path / name).stat().st_size > 0 for name in written)
