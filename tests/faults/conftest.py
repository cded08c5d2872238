"""A service in real processes, and a place for the figures that its tests measure but do not assert."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.deployment import MODES, Deployment, Mode, deployed, shown_logs
from tests.support.postgres import PostgresServer, postgres

Deploy = Callable[..., Deployment]


def mostly(mode: Mode) -> pytest.MarkDecorator:
    """A test of a fault at which the modes differ in little: in the other mode it is long."""
    cases = [each if each == mode else pytest.param(each, marks=pytest.mark.long) for each in MODES]
    return pytest.mark.parametrize("mode", cases, indirect=True)


def by_turns(names: tuple[str, ...], cases: Sequence[tuple[object, ...]]) -> pytest.MarkDecorator:
    """Each case in one of the modes, embedded and Celery by turns; in the other one the test is long."""
    both = [
        pytest.param(mode, *case, marks=[] if row % len(MODES) == column else pytest.mark.long)
        for row, case in enumerate(cases)
        for column, mode in enumerate(MODES)
    ]
    return pytest.mark.parametrize(("mode", *names), both, indirect=["mode"])


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
