"""JSON of which there is one reading, and errors that say in plain words what is wrong with other bytes."""

import json
from collections.abc import Callable
from typing import Any, NoReturn

_BOM = b"\xef\xbb\xbf"


def parse(raw: bytes, *, constants: bool = False) -> Any:
    """The JSON in some bytes, which may begin with the mark of UTF-8. Raises ValueError, with the reason.

    ``constants``: also NaN and Infinity, for who names the field that has one. Of a name that comes twice in
    one object some programs take the first value, others the last, so that either may be the one that was
    meant.
    """
    raw = raw.removeprefix(_BOM)
    parse_constant: Callable[[str], Any] | None = None if constants else _refuse_constant
    try:
        return json.loads(raw.decode(), parse_constant=parse_constant, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8, byte {error.start + 1} is {raw[error.start]:#04x}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise ValueError("a number has thousands of digits: shorten it") from None
        raise


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set[str]()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{_shown(name)} comes twice in one object: keep one of them")
            seen.add(name)
    return found


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 100 else f"{name[:100]}...")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
