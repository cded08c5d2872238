"""ZIPs that programs write are read; those that only an attacker makes are refused, and say why."""

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.errors import UnusableZip
from app.datasets.zip_reader import DamagedEntry, Entry, read_entries, read_entry
from tests.support.zips import class_folders, zipped

MOST = 1 << 30


def entries(data: bytes, most: int = MOST) -> list[Entry]:
    return read_entries(io.BytesIO(data), len(data), most)


def contents(data: bytes) -> dict[str, bytes]:
    return {entry.name: read_entry(io.BytesIO(data), entry) for entry in entries(data)}


def named(name: str, **attributes: Any) -> bytes:
    """A ZIP of one file, whose name and attributes are written as they are."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, b"content")
    return out.getvalue()


def central(data: bytes) -> int:
    """Where the directory begins."""
    return data.index(b"PK\x01\x02")


def patched(data: bytes, at: int, layout: str, *values: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(layout, out, at, *values)
    return bytes(out)


FILES = {**class_folders(cat=2, dog=1), "empty.txt": b"", "notes/long.txt": b"text " * 9000}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_programs_write_is_read(method: int) -> None:
    assert contents(zipped(FILES, method)) == FILES


def test_zip64_streamed_and_commented_files_are_read() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"a comment"
        archive.mkdir("folder")
        with archive.open("folder/big.png", "w", force_zip64=True) as file:
            file.write(b"pixels")
    assert contents(out.getvalue()) == {"folder/big.png": b"pixels"}

    class Unseekable(io.RawIOBase):
        """As when a ZIP is made while it is sent: sizes follow the content."""

        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += data
            return len(data)

    streamed = Unseekable()
    with zipfile.ZipFile(streamed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"pixels")
    assert contents(bytes(streamed.data)) == {"a.png": b"pixels"}


@pytest.mark.slow
def test_more_entries_than_16_bits_count() -> None:
    data = zipped({f"{number:05}.png": b"" for number in range(65_537)}, zipfile.ZIP_STORED)
    assert len(entries(data)) == 65_537
    # The same, where the ZIP64 record states another number.
    at = data.index(b"PK\x06\x06")
    with pytest.raises(UnusableZip, match="at most 200,000"):
        entries(patched(data, at + 24, "<QQ", 10**15, 10**15))
    with pytest.raises(UnusableZip, match="has not the 65,536 entries"):
        entries(patched(data, at + 24, "<QQ", 65_536, 65_536))
    with pytest.raises(UnusableZip, match="not where"):
        entries(patched(data, at + 48, "<Q", 2**63))


def bomb(ratio_of: int = 2_000_000) -> bytes:
    return zipped({"a.png": bytes(ratio_of)})


def overlapping() -> bytes:
    """Two entries of the directory for one file, as in Fifield's bombs."""
    data = zipped({"a.png": b"one" * 100})
    start = central(data)
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    other = bytearray(entry)
    other[46:51] = b"b.png"
    both = data[:start] + entry + bytes(other)
    return both + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(entry), start, 0)


def twice() -> bytes:
    return zipped({"a.png": b"1", "b.png": b"2"}).replace(b"b.png", b"a.png")


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "no ZIP"),
    "text": (lambda: b"PK is not enough" * 10, "no ZIP"),
    "cut off": (lambda: zipped(FILES)[:-30], "no ZIP"),
    "longer": (lambda: zipped(FILES) + b"more", "follows its end"),
    "two ends": (lambda: zipped(FILES) + zipped(FILES)[-22:], "follows its end|not where"),
    "in front": (lambda: b"#!/bin/sh\n" + zipped(FILES), "not where"),
    "parent": (lambda: named("../a.png"), "leaves the folder"),
    "parent inside": (lambda: named("a/../../b.png"), "leaves the folder"),
    "absolute": (lambda: named("/etc/a.png"), "absolute"),
    "drive": (lambda: named("C:a.png"), "absolute"),
    "backslash": (lambda: named("a\\..\\b.png"), "leaves the folder"),
    "backslash in front": (lambda: named("\\a.png"), "absolute"),
    "control": (lambda: named("a\x01.png"), "control"),
    "dot": (lambda: named("./a.png"), "'.'"),
    "double": (lambda: named("a//b.png"), "empty part"),
    "long": (lambda: named("a" * 500), "500 characters"),
    "link": (lambda: named("a.png", external_attr=(stat.S_IFLNK | 0o777) << 16, create_system=3), "a link"),
    "device": (lambda: named("a.png", external_attr=stat.S_IFCHR << 16, create_system=3), "a device"),
    "nested": (lambda: named("inner.ZIP"), "is an archive"),
    "nested tar": (lambda: named("a/inner.tar.gz"), "is an archive"),
    "ratio": (bomb, "100 times"),
    "overlap": (overlapping, "overlaps"),
    "one name": (twice, "two entries"),
    "encrypted": (lambda: patched(named("a.png"), central(named("a.png")) + 8, "<H", 1), "encrypted"),
    "method": (lambda: patched(named("a.png"), central(named("a.png")) + 10, "<H", 12), "method 12"),
    "bytes of a folder": (lambda: named("a/"), "bytes of its own"),
    "no count": (lambda: patched(zipped(FILES), len(zipped(FILES)) - 14, "<HH", 1, 1), "has not the 1 "),
    "parts": (lambda: patched(zipped(FILES), len(zipped(FILES)) - 18, "<H", 1), "several files"),
    "offset": (lambda: patched(named("a.png"), central(named("a.png")) + 42, "<L", 2**31), "overlaps"),
    "packed": (lambda: patched(zipped(FILES), central(zipped(FILES)) + 20, "<L", 2**31), "overlaps"),
    "two sizes": (lambda: patched(named("a.png"), central(named("a.png")) + 24, "<L", 9), "two sizes"),
    "no ZIP64": (lambda: patched(named("a.png"), central(named("a.png")) + 24, "<L", 2**32 - 1), "ZIP64"),
    "no UTF-8": (
        lambda: patched(named("é.png"), central(named("é.png")) + 46, "<B", 0xFF),
        "not UTF-8",
    ),
    "too large": (lambda: zipped({"a.png": bytes(100), "b.png": bytes(100)}), "have 200 bytes; at most 150"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_hostile_is_refused_before_anything_is_unpacked(name: str) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(UnusableZip, match=reason) as refused:
        entries(make(), 150 if name == "too large" else MOST)
    assert refused.value.field == "file" and len(refused.value.detail) < 400


def test_an_entry_with_more_than_it_states_is_refused_while_it_is_read() -> None:
    data = zipped({"a.png": bytes(range(256)) * 4000})
    (entry,) = entries(patched(data, central(data) + 24, "<L", 1000))
    with pytest.raises(UnusableZip, match=r"more than the 1,000 bytes"):
        read_entry(io.BytesIO(data), entry)


def test_an_entry_that_differs_from_the_directory_is_refused() -> None:
    data = zipped({"a.png": b"content"})
    (entry,) = entries(data)
    for at, layout, value in ((30, "<B", 98), (8, "<H", 0), (6, "<H", 1), (0, "<L", 0), (28, "<H", 60_000)):
        with pytest.raises(UnusableZip):
            read_entry(io.BytesIO(patched(data, at, layout, value)), entry)


def test_damaged_entries_are_no_attack() -> None:
    data = zipped({"a.png": bytes(range(200))})
    (entry,) = entries(data)
    wrong = patched(data, 45, "<B", data[45] ^ 0xFF)
    with pytest.raises(DamagedEntry):
        read_entry(io.BytesIO(wrong), entry)
    more = patched(data, central(data) + 24, "<L", 300)
    with pytest.raises(DamagedEntry, match="cut off"):
        read_entry(io.BytesIO(more), entries(more)[0])


def test_names_are_the_same_whichever_system_wrote_them() -> None:
    """Compress-Archive of Windows PowerShell 5 writes backslashes, and macOS letters apart from accents."""
    for name in ("Stra\u00dfe\\caf\u00e9.png", "Stra\u00dfe/cafe\u0301.png"):
        assert contents(named(name)) == contents(named("Stra\u00dfe/caf\u00e9.png"))


def test_an_empty_zip_has_no_entries() -> None:
    assert entries(zipped({})) == []


def test_what_programs_add_for_themselves_is_hidden() -> None:
    names = ["__MACOSX/cat/._1.png", "cat/.DS_Store", ".git/x.png", "cat/Thumbs.db", "cat/1.png"]
    assert [e.name for e in entries(zipped(dict.fromkeys(names, b""))) if not e.is_hidden] == ["cat/1.png"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_name_is_safe_or_refused(name: str) -> None:
    try:
        found = entries(named(name))
    except UnusableZip:
        return
    for entry in found:
        parts = entry.name.split("/")
        assert entry.name == unicodedata.normalize("NFC", name.replace("\\", "/"))
        assert not entry.name.startswith("/")
        assert not {"", ".", ".."} & set(parts)


@given(st.data())
def test_no_damage_does_more_than_refuse(data: st.DataObject) -> None:
    """Whatever one byte becomes, the files are those of the ZIP, or refused, or damaged."""
    whole = zipped({"a.png": b"one" * 20, "b/c.png": bytes(range(99))})
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = patched(whole, at, "<B", data.draw(st.integers(0, 255)))
    try:
        for entry in entries(changed):
            read = read_entry(io.BytesIO(changed), entry)
            assert len(read) == entry.size and zlib.crc32(read) == entry.crc
    except (UnusableZip, DamagedEntry):
        return
