"""Which worker processes there are."""

import pytest

from app.kinds import all_lanes
from app.settings import Settings
from app.supervision.placing import Place, places, served_lanes
from app.supervision.startup import StartError
from app.supervision.supervisor import _NICE

LANES = ["long", "short", "training"]


def devices_of(settings: Settings, lane: str, lanes: list[str] = LANES) -> list[str]:
    return [place.device for place in places(settings, lanes, settings.device_names) if place.lane == lane]


def test_one_device_has_a_worker_in_each_lane_with_all_cores() -> None:
    assert places(Settings(device="auto"), LANES, ["auto"]) == [Place("auto", lane, 1) for lane in LANES]


def test_workers_of_a_lane_share_the_cores() -> None:
    found = places(Settings(), LANES, ["cuda:0", "cuda:1"])
    assert {place.sharing for place in found} == {2}
    assert len(found) == 6


def test_a_training_on_several_devices_has_them_to_itself() -> None:
    settings = Settings(device="cpu,cuda:0,cuda:1,cuda:2", training_devices="cuda:1, cuda:2")
    assert devices_of(settings, "training") == ["cuda:1"]
    assert devices_of(settings, "long") == devices_of(settings, "short") == ["cpu", "cuda:0"]
    assert {place.lane: place.sharing for place in places(settings, LANES, settings.device_names)} == {
        "long": 2,
        "short": 2,
        "training": 1,
    }


def test_the_cpu_is_for_all() -> None:
    settings = Settings(device="cpu", training_devices="cpu,cpu")
    assert [devices_of(settings, lane) for lane in LANES] == [["cpu"]] * 3


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:1,cuda:0"])
def test_other_lanes_need_a_device(device: str) -> None:
    settings = Settings(device=device, training_devices="cuda:0,cuda:1")
    with pytest.raises(StartError, match=r"IMPASTO_TRAINING_DEVICES=cuda:0,cuda:1 .*IMPASTO_DEVICE"):
        places(settings, LANES, settings.device_names)
    assert devices_of(settings, "training", ["training"]) == ["cuda:0"]


def test_every_lane_has_a_nice_value_and_shorter_ones_a_better_one() -> None:
    assert set(all_lanes()) <= set(_NICE)
    assert 0 < _NICE["short"] < _NICE["long"] < _NICE["training"] < 20


def test_a_machine_serves_the_lanes_that_it_is_told_to() -> None:
    assert served_lanes(Settings()) == all_lanes()
    assert served_lanes(Settings(lanes="training, Long")) == ["long", "training"]
    with pytest.raises(StartError, match=r"'express' \(IMPASTO_LANES\).*short, long, training"):
        served_lanes(Settings(lanes="long,express"))
