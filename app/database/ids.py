"""Ids of jobs and pictures: UUIDs of version 7 (RFC 9562), which sort by the time they were made."""

import hashlib
import re
import secrets
import threading
import time
import uuid

# The canonical form of a UUID.
ID_PATTERN = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ID = re.compile(ID_PATTERN)
# The time of the last id, in ticks of 1/4096 ms, and who may change it.
_last = 0
_lock = threading.Lock()


def new_id() -> str:
    """A new id, greater than all that this process has made: 60 bits of time since 1970, then 62 random bits.

    The time is in milliseconds and their 4096ths (RFC 9562, section 6.2, method 3), so that jobs submitted
    one after the other are listed in that order.
    """
    global _last
    with _lock:
        ticks = _last = max(_last + 1, time.time_ns() * 4096 // 1_000_000)
    value = (ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def derived_id(text: str) -> str:
    """The id that belongs to a text: always the same, so that what it says is never kept twice.

    A UUID of version 8 (RFC 9562), from a hash.
    """
    digest = bytearray(hashlib.sha256(text.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def is_id(text: str) -> bool:
    """Whether a text is the canonical form of a UUID."""
    return _ID.fullmatch(text) is not None
