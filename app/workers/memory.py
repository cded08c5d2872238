"""How much memory the workers of this machine have, without torch."""

import os
import sys
from functools import cache
from pathlib import Path

from app.settings import Settings

# One without a limit says so in a word (v2), or by a number that is larger than any machine (v1).
_CGROUP = Path("/sys/fs/cgroup")


def known_memory(settings: Settings) -> int | None:
    """Bytes that a worker may take, as far as a process without torch can tell; None: only workers know.

    That of the setting, or of this machine if its workers compute on the CPU.
    """
    if settings.worker_memory_bytes is not None:
        return settings.worker_memory_bytes
    is_cpu = set(settings.device_names) <= ({"cpu"} if has_accelerator() else {"cpu", "auto"})
    return host_memory() if is_cpu and settings.redis_url is None else None


@cache
def host_memory() -> int:
    """Bytes of this machine, or of the container that this process is in."""
    own = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([own, *_limits_of_cgroups(Path("/proc/self/cgroup"), _CGROUP)])


def _limits_of_cgroups(listed: Path, root: Path) -> list[int]:
    """The limits of the cgroups that this process is in, v1 or v2, and of those that hold them."""
    if not listed.exists():
        return []
    found = []
    for line in listed.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top = root / controllers
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        inner = top / path.lstrip("/")
        # A container sees its own cgroup as the root, whatever its path is outside.
        for folder in {top, inner, *(each for each in inner.parents if top in each.parents)}:
            limit = folder / name
            if limit.is_file() and (text := limit.read_text().strip()).isdigit():
                found.append(int(text))
    return found


def has_accelerator() -> bool:
    """Whether this machine may have another device than the CPU."""
    return sys.platform == "darwin" or any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/kfd"))
