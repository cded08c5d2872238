"""Reads forms with files, and says what is wrong with one; Starlette is silent about some of it.

A form that ends before its last boundary has lost its last part, and a file whose name is in the extended
syntax (``filename*``) would be a text.
"""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from app.http.errors import InvalidForm, JsonTooLarge, RepeatedField

# As many files as a kind takes pictures (`MAX_LISTED_PICTURES`), and texts.
MAX_FILES, MAX_TEXTS = 100, 16
# Whatever a text of a form may be.
MAX_TEXT_BYTES = 1_000_000
# RFC 5987: `filename*=UTF-8''%C3%BC.png`, with quotes by some.
_EXTENDED = re.compile(rb";\s*filename\*\s*=\s*\"?([\w-]+)'[^']*'([^;\"]*)", re.IGNORECASE)


def disposition_options(header: bytes) -> dict[bytes, bytes]:
    """The options of a part's Content-Disposition; its ``filename`` in UTF-8 also if it is an extended one.

    Forms should have no extended ones (RFC 7578, section 4.2), but older clients send them for all names that
    are not ASCII.
    """
    _, options = parse_options_header(header)
    if b"filename" not in options and (extended := _EXTENDED.search(header)):
        try:
            name = unquote_to_bytes(extended[2].strip()).decode(extended[1].decode())
        except (LookupError, ValueError):
            name = extended[2].decode("latin-1")
        options[b"filename"] = name.encode(errors="replace")
    return options


def require_once(names: Iterable[str]) -> None:
    """Take no field twice. Raises RepeatedField."""
    for name, count in Counter(names).items():
        if count > 1:
            raise RepeatedField(name, count)


class FormParser(MultiPartParser):
    """Starlette's parser, which raises InvalidForm and JsonTooLarge."""

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None]) -> None:
        super().__init__(
            headers, stream, max_files=MAX_FILES, max_fields=MAX_TEXTS, max_part_size=MAX_TEXT_BYTES
        )
        self._has_ended = False

    def on_end(self) -> None:
        """Note that the last boundary came."""
        self._has_ended = True

    def on_headers_finished(self) -> None:
        """Begin a part: with a plain name of its file, which is all that Starlette reads."""
        part = self._current_part
        _, plain = parse_options_header(part.content_disposition)
        name = disposition_options(part.content_disposition or b"").get(b"filename")
        if name is not None and b"filename" not in plain:
            quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            part.content_disposition = (part.content_disposition or b"") + b'; filename="' + quoted + b'"'
        super().on_headers_finished()

    async def parse(self) -> FormData:
        """The form. Raises InvalidForm, JsonTooLarge."""
        try:
            form = await super().parse()
        except MultiPartException as error:
            raise self._refusal(error) from None
        if not self._has_ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise InvalidForm("it ends before its last boundary, and may have lost a part")
        return form

    def _refusal(self, error: MultiPartException) -> InvalidForm | JsonTooLarge:
        if isinstance(error.__cause__, FormParserError):
            return InvalidForm(str(error.__cause__))
        if error.message.startswith("Part exceeded maximum size"):
            return JsonTooLarge(MAX_TEXT_BYTES, self._current_part.field_name)
        if error.message.startswith("Missing boundary"):
            return InvalidForm("the header Content-Type names no boundary", "Content-Type")
        if error.message.startswith("The Content-Disposition"):
            return InvalidForm("a part has no name")
        return InvalidForm(error.message.removesuffix("."))
