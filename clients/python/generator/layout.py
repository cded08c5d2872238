"""The text of a module: docstrings, imports, format."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from generator.schemas import quoted

LINE_LENGTH = 110
NOTE = "Derived from the API's description by clients/python/generate.py; edit that, not this."


def docstring(text: str) -> str:
    """A docstring whose lines are not too long inside of a class."""
    width = LINE_LENGTH - 16
    lines = [part for line in text.split("\n") for part in _wrapped(line, width)]
    body = "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{body}"""' if len(lines) == 1 else f'"""{body}\n"""'


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def indented(text: str, spaces: int = 4) -> str:
    """Its lines further to the right, but for empty ones."""
    return re.sub(r"^(?=.)", " " * spaces, text, flags=re.MULTILINE)


def exports(lines: Sequence[str]) -> str:
    """What modules that import everything get."""
    names = [match[1] for line in lines if (match := re.match(r"(?:class )?(\w+)[(:]", line))]
    return f"__all__ = [{', '.join(quoted(name) for name in sorted(names))}]"


def module(about: str, head: str, lines: Sequence[str]) -> str:
    """A module's text; ``head`` has its imports, each line indented by 8 spaces."""
    imports = re.sub(r"^ {8}", "", head.strip("\n"), flags=re.MULTILINE)
    return "\n".join([docstring(about), imports, *lines, ""])


def formatted(text: str, folder: Path) -> str:
    """The text without imports that it does not need, formatted by ruff as what is in that folder."""
    name = ["--stdin-filename", str(folder / "generated.py")]
    for command in (["check", "--select", "I,F401", "--fix", "--quiet"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, *name, "-"]
        done = subprocess.run(ruff, input=text, capture_output=True, check=True, text=True)  # noqa: S603
        text = done.stdout
    return text
