"""Kinds of job that only tests know, in the processes of a real service."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Every Python process imports sitecustomize when it starts.
REGISTER = """
from app.kinds import KINDS
from tests.support import {name}

KINDS[{name}.SPEC.name] = {name}.SPEC
"""


def with_kind(name: str, folder: Path) -> dict[str, str]:
    """The environment of a service that knows the kind of ``tests/support/{name}.py``, too.

    A file that it needs goes into ``folder``.
    """
    (folder / "sitecustomize.py").write_text(REGISTER.format(name=name))
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])}
