"""The devices that have workers: those of the setting, and for ``auto`` all GPUs of the machine."""

import json
import logging
import subprocess
import sys
from collections.abc import Sequence

from app.settings import Settings
from app.supervision.startup import StartError
from app.workers.memory import has_accelerator

log = logging.getLogger(__name__)

AUTO = "auto"
# In which torch and the driver have to be loaded.
ASK_SECONDS = 120.0


def devices_of(settings: Settings) -> list[str]:
    """The names of the devices that have workers, in order. Raises StartError if the setting is empty.

    ``auto`` stays where this machine has no accelerator, or torch does not say which.
    """
    names = settings.device_names
    if not names:
        raise StartError("IMPASTO_DEVICE is empty: set it to auto, cpu, mps, cuda or cuda:N.")
    if AUTO not in names or not has_accelerator():
        return names
    return with_all_gpus(names, available_devices())


def with_all_gpus(names: Sequence[str], available: Sequence[str]) -> list[str]:
    """The names, in place of ``auto`` those of all GPUs that are available, else of the first device there.

    ``available`` are the names of all devices, the best first; of none, ``auto`` stays.
    """
    gpus = [name for name in available if name.startswith("cuda")]
    all_gpus = gpus or list(available[:1]) or [AUTO]
    found = [each for name in names for each in (all_gpus if name == AUTO else [name])]
    # One that is named beside `auto` has a worker already.
    return list(dict.fromkeys(found))


def available_devices() -> list[str]:
    """What torch says, in a process of its own, as this one never loads it; empty: it does not say."""
    command = [sys.executable, "-P", "-m", "worker.runtime.device"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=ASK_SECONDS, check=True)  # noqa: S603
        names: list[str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.warning("Cannot find out which GPUs there are: %s", error)
        return []
    return names
