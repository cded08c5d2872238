"""Ids of jobs and pictures: UUIDs of version 7 (RFC 9562), which sort by the time they were made."""

import os
import time
import uuid


def new_id() -> str:
    """A fresh id: 48 bits of milliseconds since 1970, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return str(uuid.UUID(int=value))


def is_id(text: str) -> bool:
    """Whether a text is the canonical form of a UUID."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
