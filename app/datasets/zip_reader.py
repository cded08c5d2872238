"""Reads ZIP files that anybody may have made, without trusting what they say of themselves.

The format is PKWARE's APPNOTE 6.3.10; what a reader has to watch for beyond it is in Fifield's "A better zip
bomb" (WOOT 2019): overlapping entries, and sizes that are not true. Of the format this reads what programs
write: entries that are stored or deflated, in one file, with ZIP64 where it is needed.
"""

import re
import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import BinaryIO

from app.datasets.dataset import MAX_NAME, is_text
from app.datasets.errors import UnusableZip

# Entries of all kinds: pictures, folders, and what is ignored.
MAX_ENTRIES = 200_000
MAX_DIRECTORY_BYTES = 100_000_000
# An entry may unpack to this many times its bytes, above a size that does no harm.
MAX_RATIO = 100
HARMLESS_BYTES = 1 << 17
CHUNK = 1 << 18

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
# Flags: encrypted, strongly encrypted, an encrypted directory; and names in UTF-8.
_ENCRYPTED, _UTF8 = 0x0001 | 0x0040 | 0x2000, 0x0800
_ZIP64 = 0x0001
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ARCHIVES = re.compile(r"\.(zip|tar|gz|tgz|bz2|tbz2?|xz|txz|7z|rar|zst|jar|iso|cab|lzma)$", re.IGNORECASE)
_REMEDY = "Zip a folder of pictures with an ordinary program."


@dataclass(frozen=True)
class Entry:
    """A file in a ZIP: its name, with ``/`` between folders, its bytes, and where it begins.

    ``end`` is where the next entry begins, or the directory.
    """

    name: str
    raw_name: bytes
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    end: int = 0

    @property
    def is_hidden(self) -> bool:
        """Whether programs put it there for themselves: ``__MACOSX``, ``.DS_Store``, ``Thumbs.db``."""
        parts = self.name.split("/")
        return any(part.startswith(".") or part == "__MACOSX" for part in parts) or parts[-1].lower() in (
            "thumbs.db",
            "desktop.ini",
        )


class DamagedEntry(ValueError):
    """An entry that cannot be unpacked; the message is a sentence."""


def read_entries(file: BinaryIO, size: int, max_bytes: int) -> list[Entry]:
    """The files in a ZIP of ``size`` bytes, without its folders, by name. Nothing is unpacked.

    Raises UnusableZip, which says what is wrong and what to do; also if they would have more than
    ``max_bytes`` together.
    """
    start, length, count = _find_directory(file, size)
    file.seek(start)
    data = file.read(length)
    entries, at = [], 0
    while at < length:
        entry, at = _read_central(data, at)
        entries.append(entry)
        if len(entries) > count:
            break
    if len(entries) != count:
        raise UnusableZip(f"The ZIP is damaged: its directory has not the {count:,} entries it states.")
    files = [entry for entry in _bounded(entries, start) if not entry.name.endswith("/")]
    total = sum(entry.size for entry in files)
    if total > max_bytes:
        raise UnusableZip(
            f"The files in it have {total:,} bytes; at most {max_bytes:,} are taken. Send it in parts, or "
            "smaller pictures."
        )
    files.sort(key=lambda entry: entry.name)
    for one, other in pairwise(files):
        if one.name == other.name:
            raise UnusableZip(f"It has two entries {one.name!r}. {_REMEDY}")
    return files


def read_entry(file: BinaryIO, entry: Entry) -> bytes:
    """The content of an entry. At most one byte more than the ZIP states is unpacked.

    Raises DamagedEntry if it cannot be unpacked; UnusableZip if it says other things of itself than the
    directory, so that other programs would find something else in it.
    """
    file.seek(entry.offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        raise UnusableZip(f"Entry {entry.name!r} is not where the directory of the ZIP says. {_REMEDY}")
    _, _, flags, method, _, _, _, _, _, name_length, extra_length = _LOCAL.unpack(header)
    if file.read(name_length) != entry.raw_name or method != entry.method or flags & _ENCRYPTED:
        raise UnusableZip(f"Entry {entry.name!r} differs from what the directory says of it. {_REMEDY}")
    begin = entry.offset + _LOCAL.size + name_length + extra_length
    if begin + entry.packed > entry.end:
        raise UnusableZip(f"Entry {entry.name!r} overlaps the next one. {_REMEDY}")
    file.seek(begin)
    out = bytearray()
    for chunk in _unpack(file, entry):
        out += chunk
        if len(out) > entry.size:
            raise UnusableZip(
                f"Entry {entry.name!r} has more than the {entry.size:,} bytes that the ZIP states. {_REMEDY}"
            )
    if len(out) < entry.size:
        raise DamagedEntry("It is cut off within the ZIP.")
    if zlib.crc32(out) != entry.crc:
        raise DamagedEntry("Its checksum is wrong.")
    return bytes(out)


def _unpack(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The unpacked bytes of an entry, in pieces of CHUNK bytes at most."""
    missing = entry.packed
    if entry.method == _STORED:
        yield from _read_chunks(file, missing)
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _read_chunks(file, missing):
            rest = packed
            while rest and not inflater.eof:
                yield inflater.decompress(rest, CHUNK)
                rest = inflater.unconsumed_tail
        while not inflater.eof:
            more = inflater.decompress(b"", CHUNK)
            if not more:
                raise DamagedEntry("It is cut off within the ZIP.")
            yield more
    except zlib.error:
        raise DamagedEntry("It cannot be unpacked.") from None


def _read_chunks(file: BinaryIO, missing: int) -> Iterator[bytes]:
    while missing:
        chunk = file.read(min(CHUNK, missing))
        if not chunk:
            raise DamagedEntry("It is cut off within the ZIP.")
        missing -= len(chunk)
        yield chunk


def _find_directory(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the directory begins, its bytes, and its entries. Raises UnusableZip."""
    tail_start = max(0, size - _END.size - _FULL16)
    file.seek(tail_start)
    tail = file.read(size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise UnusableZip(f"This is no ZIP, or its end is missing. {_REMEDY}")
    _, disk, first_disk, here, count, length, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise UnusableZip(f"This is no ZIP, or something follows its end. {_REMEDY}")
    end = tail_start + at
    if _FULL16 in (here, count) or _FULL32 in (length, start):
        found = _find_directory64(file, end)
        if found is not None:
            end, disk, first_disk, here, count, length, start = found
    if disk or first_disk or here != count:
        raise UnusableZip(f"This is one part of a ZIP in several files. {_REMEDY}")
    if count > MAX_ENTRIES or length > MAX_DIRECTORY_BYTES:
        raise UnusableZip(f"It has {count:,} entries; at most {MAX_ENTRIES:,} are taken. Send it in parts.")
    if start + length != end:
        raise UnusableZip(f"The directory of the ZIP is not where its end says. {_REMEDY}")
    return start, length, count


def _find_directory64(file: BinaryIO, end: int) -> tuple[int, ...] | None:
    """What the ZIP64 record says that precedes the end record; None if there is none."""
    if end < _LOCATOR.size + _END64.size:
        return None
    file.seek(end - _LOCATOR.size)
    mark, _, at, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if mark != b"PK\x06\x07":
        return None
    if at != end - _LOCATOR.size - _END64.size:
        raise UnusableZip(f"The ZIP64 record is not where it should be. {_REMEDY}")
    file.seek(at)
    mark, _, _, _, disk, first_disk, here, count, length, start = _END64.unpack(file.read(_END64.size))
    if mark != b"PK\x06\x06":
        raise UnusableZip(f"The ZIP64 record is not where it should be. {_REMEDY}")
    return at, disk, first_disk, here, count, length, start


def _read_central(data: bytes, at: int) -> tuple[Entry, int]:
    """The entry of the directory that begins at a byte, checked; and where the next one begins."""
    if len(data) - at < _CENTRAL.size or data[at : at + 4] != b"PK\x01\x02":
        raise UnusableZip(f"The directory of the ZIP is damaged. {_REMEDY}")
    fields = _CENTRAL.unpack_from(data, at)
    _, _, system, _, _, flags, method, _, _, crc, packed, size = fields[:12]
    name_length, extra_length, comment_length, disk, _, attributes, offset = fields[12:]
    at += _CENTRAL.size
    end = at + name_length + extra_length + comment_length
    if end > len(data):
        raise UnusableZip(f"The directory of the ZIP is damaged. {_REMEDY}")
    raw = data[at : at + name_length]
    extra = data[at + name_length : at + name_length + extra_length]
    size, packed, offset = _read_zip64(extra, size, packed, offset)
    if disk not in (0, _FULL16):
        raise UnusableZip(f"This is one part of a ZIP in several files. {_REMEDY}")
    name = _check_name(raw, flags)
    entry = Entry(name, raw, method, crc, packed, size, offset)
    _check_entry(entry, flags, attributes >> 16 if system == 3 else 0)
    return entry, end


def _read_zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The three numbers, from the ZIP64 field where the directory has no place for them (APPNOTE 4.5.3)."""
    values = [size, packed, offset]
    wanted = [place for place, value in enumerate(values) if value == _FULL32]
    at = 0
    while wanted and at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64:
            if length < 8 * len(wanted) or at + 4 + length > len(extra):
                break
            numbers = struct.unpack_from(f"<{len(wanted)}Q", extra, at + 4)
            for place, number in zip(wanted, numbers, strict=True):
                values[place] = number
            wanted = []
        at += 4 + length
    if wanted:
        raise UnusableZip(f"The directory of the ZIP is damaged: a ZIP64 field is missing. {_REMEDY}")
    return values[0], values[1], values[2]


def _check_name(raw: bytes, flags: int) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        if flags & _UTF8:
            raise UnusableZip(f"The name {raw[:80]!r} is not UTF-8, as the ZIP says. {_REMEDY}") from None
        name = raw.decode("cp437")
    shown = name[:80]
    if not name or len(name) > MAX_NAME:
        raise UnusableZip(f"The name {shown!r} has {len(name)} characters; 1 to {MAX_NAME} are taken.")
    if not is_text(name, MAX_NAME):
        raise UnusableZip(f"The name {shown!r} has control characters. {_REMEDY}")
    # Against the format (APPNOTE 4.4.17.1), Compress-Archive of Windows PowerShell 5 separates folders so.
    # macOS takes letters apart (é is e and an accent), and tables have them whole.
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise UnusableZip(f"The name {shown!r} is absolute: names begin within the ZIP. {_REMEDY}")
    parts = name.removesuffix("/").split("/")
    if ".." in parts:
        raise UnusableZip(f"The name {shown!r} leaves the folder with '..'. {_REMEDY}")
    if "." in parts or "" in parts:
        raise UnusableZip(f"The name {shown!r} has an empty part, or a '.'. {_REMEDY}")
    return name


def _check_entry(entry: Entry, flags: int, mode: int) -> None:
    name = entry.name[:80]
    if flags & _ENCRYPTED:
        raise UnusableZip(f"Entry {name!r} is encrypted. Make the ZIP again without a password.")
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnusableZip(f"Entry {name!r} is a link or a device. Put the files themselves into the ZIP.")
    if entry.name.endswith("/"):
        if entry.size:
            raise UnusableZip(f"The folder {name!r} has bytes of its own. {_REMEDY}")
        return
    if entry.method not in (_STORED, _DEFLATED):
        raise UnusableZip(
            f"Entry {name!r} is packed with method {entry.method}, which is not read: use Deflate, or none."
        )
    if entry.method == _STORED and entry.size != entry.packed:
        raise UnusableZip(f"Entry {name!r} is not packed, and yet states two sizes. {_REMEDY}")
    if _ARCHIVES.search(entry.name) and not entry.is_hidden:
        raise UnusableZip(f"Entry {name!r} is an archive. Unpack it, and zip the pictures themselves.")
    if entry.size > HARMLESS_BYTES and entry.size > MAX_RATIO * entry.packed:
        raise UnusableZip(
            f"Entry {name!r} unpacks to more than {MAX_RATIO} times its bytes, as no picture does. {_REMEDY}"
        )


def _bounded(entries: list[Entry], directory: int) -> list[Entry]:
    """The entries with their ends. Raises UnusableZip where one begins within another."""
    ordered = sorted(entries, key=lambda entry: entry.offset)
    ends = [*(entry.offset for entry in ordered), directory][1:]
    bounded = []
    for entry, end in zip(ordered, ends, strict=True):
        if entry.offset + _LOCAL.size + len(entry.raw_name) + entry.packed > end:
            raise UnusableZip(f"Entry {entry.name[:80]!r} overlaps the next one. {_REMEDY}")
        bounded.append(replace(entry, end=end))
    return bounded
