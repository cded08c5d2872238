"""Names of uploaded files, as they are on the disk that they come from."""

import re

# What browsers escape in a form, and nothing else (HTML, section "Multipart form data").
_ESCAPES = {"%22": '"', "%0A": "\n", "%0D": "\r"}
_ESCAPED = re.compile("|".join(_ESCAPES), re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
MAX_NAME = 200


def name_of_file(sent: str | None) -> str | None:
    """The name of a file as a person sees it: unescaped, in one line; None if there is none.

    Half of a surrogate pair, which stands for bytes that are no UTF-8, becomes a question mark.
    """
    if not sent:
        return None
    name = _ESCAPED.sub(lambda found: _ESCAPES[found[0].upper()], sent)
    return _CONTROLS.sub(" ", name)[:MAX_NAME].encode(errors="replace").decode() or None
