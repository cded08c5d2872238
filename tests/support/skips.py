"""A pytest plugin: the last line says what was skipped and why, and skips can be made to count as failures.

With ``--require-programs`` a skipped test that is marked ``server`` or ``browser`` fails the run: such a test
is skipped for want of a program that could have been installed. With ``--none-after MINUTES`` the tests that
would begin later are skipped: a run that is cut off by whoever started it would say nothing at all.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest

PROGRAM_MARKS = frozenset({"server", "browser"})
TOO_LATE = "the machine is too slow for all of them: they would have begun after"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-programs",
        action="store_true",
        help="fail if a test marked server or browser, or a whole file, is skipped for want of a program",
    )
    parser.addoption("--none-after", type=float, metavar="MINUTES", help="begin no test after these minutes")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Skips(config), "impasto-skips")


class Skips:
    """Collects what is skipped: tests by reason."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._by_reason: dict[str, list[str]] = defaultdict(list)
        self._forbidden: list[str] = []
        self._deselected = 0
        self._began = time.monotonic()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        minutes: float | None = self._config.getoption("--none-after")
        if minutes is not None and time.monotonic() - self._began > 60 * minutes:
            pytest.skip(f"{TOO_LATE} {minutes:g} min")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._note(report)
            self._forbidden.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = self._note(report)
            if PROGRAM_MARKS & report.keywords.keys() and not reason.startswith(TOO_LATE):
                self._forbidden.append(report.nodeid)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._deselected += len(items)

    def _note(self, report: pytest.CollectReport | pytest.TestReport) -> str:
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = text.removeprefix("Skipped: ")
        self._by_reason[reason].append(report.nodeid)
        return reason

    @property
    def _fails(self) -> bool:
        return bool(self._forbidden) and bool(self._config.getoption("--require-programs"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        if self._fails and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        yield

    # After pytest's own last line.
    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or config.option.collectonly:
            return
        if self._fails:
            reporter.write_line(f"Failed for these skips: {', '.join(self._forbidden)}", red=True)
        reporter.write_line(self.last_line())

    def last_line(self) -> str:
        """What was skipped and why, and how many tests were not asked for, in one line."""
        left_out = f" Not asked for: {self._deselected}." if self._deselected else ""
        if not self._by_reason:
            return f"Nothing was skipped.{left_out}"
        parts = [f"{len(tests)} because: {reason}" for reason, tests in sorted(self._by_reason.items())]
        count = sum(len(tests) for tests in self._by_reason.values())
        return f"Skipped {count} {'test' if count == 1 else 'tests'}: {'; '.join(parts)}.{left_out}"
