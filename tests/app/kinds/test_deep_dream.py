from typing import Any

import pytest

from app.errors import InputError
from app.kinds.deep_dream import DeepDreamParams
from app.networks.catalogue import SHIPPED


def make(**values: Any) -> DeepDreamParams:
    return DeepDreamParams.model_validate({"image": "x", **values}).resolve(SHIPPED)


def test_a_single_picture_is_what_is_made_unless_more_are_asked_for() -> None:
    assert make().variations == 1
    assert make(size=8192, jitter=0).variations == 1
    assert make(variations=4, size=4096).variations == 4


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"frames": 2}, "Only a still picture has variations: leave out frames"),
        ({"jitter": 0}, "Without jitter every seed gives one picture: set jitter to 32"),
        ({"size": 8192}, "2 pictures of 8192 px are too many for one job: ask for 1 at most"),
    ],
)
def test_what_has_no_variations(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        make(variations=2, **values)

    assert caught.value.field == "variations"
    assert said in caught.value.detail
