"""How pytest-xdist shares the slow tests out among its processes (``--dist loadgroup``)."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Files whose tests share what takes minutes to make.
TOGETHER = ("tests/faults/test_image.py",)


class OneByOne(LoadScopeScheduling):
    """Gives a process one test at a time, but a file of ``TOGETHER`` as a whole.

    The group of a test (``xdist_group``) is lost between pytest 9.2 and pytest-xdist 3.8.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if path in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneByOne | None:
    """The scheduling for ``--dist loadgroup``; any other is that of pytest-xdist."""
    return OneByOne(config, log) if config.getvalue("dist") == "loadgroup" else None
