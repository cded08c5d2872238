"""A service in real processes, and a place for the figures that its tests measure but do not assert."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.deployment import MODES, Deployment, Mode, deployed, shown_logs
from tests.support.postgres import PostgresServer, postgres

Deploy = Callable[..., Deployment]


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    try:
        with postgres() as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Each of the two modes."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def deploy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deploy]:
    """Start a service of a mode, with settings; it ends with the test.

    It serves the lane of long jobs alone where no setting says otherwise: each takes seconds to start.
    """
    with ExitStack() as stack:

        def start(mode: Mode, **settings: str) -> Deployment:
            server = request.getfixturevalue("server") if mode == "celery" else None
            settings = {"IMPASTO_LANES": "long", **settings}
            try:
                return stack.enter_context(shown_logs(deployed(mode, tmp_path, server, **settings)))
            except FileNotFoundError as error:
                pytest.skip(str(error))

        yield start


@pytest.fixture
def figure(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Show a line of what was measured, also if the test passes."""

    def show(line: str) -> None:
        with capsys.disabled():
            print(f"\n    {line}", end="")

    return show
