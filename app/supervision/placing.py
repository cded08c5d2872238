"""Which worker processes there are: a device and a lane for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from app.kinds import Lane, all_lanes
from app.settings import Settings
from app.supervision.startup import StartError

TRAINING = "training"
# Takes any number of workers; of other devices a training on several has its own.
CPU = "cpu"


@dataclass(frozen=True)
class Place:
    """The device and the lane of a worker, and how many workers, this one included, share the cores.

    Workers of one lane share them, as all may be busy at once. Those of different lanes do not, which would
    leave cores idle for as long as nothing is trained: the nice values decide between them.
    """

    device: str
    lane: str
    sharing: int


def served_lanes(settings: Settings) -> list[Lane]:
    """The lanes that workers of these settings serve. Raises StartError for one that there is not."""
    known = get_args(Lane)
    for lane in settings.lane_names:
        if lane not in known:
            raise StartError(f"There is no lane {lane!r} (IMPASTO_LANES). Lanes: {', '.join(known)}.")
    return [lane for lane in all_lanes() if not settings.lanes or lane in settings.lane_names]


def places(settings: Settings, lanes: Sequence[str], devices: Sequence[str]) -> list[Place]:
    """A place for each device and lane; the lane of training has one worker if it has devices of its own.

    ``devices`` are those of the setting, as :func:`app.supervision.devices.devices_of` finds them.

    Raises StartError if these devices leave none for other lanes.
    """
    own = settings.training_device_names
    if not own:
        return [Place(device, lane, len(devices)) for device in devices for lane in lanes]
    others = [lane for lane in lanes if lane != TRAINING]
    taken = set(map(_normal, own)) - {CPU}
    left = [device for device in devices if _normal(device) not in taken]
    if others and (("auto" in devices and taken) or not left):
        raise StartError(
            f"IMPASTO_TRAINING_DEVICES={','.join(own)} are for training alone, and IMPASTO_DEVICE="
            f"{settings.device} has to name other devices for the other jobs, such as cpu."
        )
    there = [Place(device, lane, len(left)) for device in left for lane in others]
    return there + [Place(own[0], lane, 1) for lane in lanes if lane == TRAINING]


def _normal(device: str) -> str:
    return "cuda:0" if device == "cuda" else device
