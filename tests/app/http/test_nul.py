"""Texts with the character that PostgreSQL takes in none."""

from typing import Any

import pytest

from app.settings import Settings
from tests.app.conftest import serving

LOOKS = {"image": "x", "network": "palette"}


@pytest.mark.medium
def test_a_nul_is_an_error_of_the_request_on_every_database(database_url: str, settings: Settings) -> None:
    requests: list[tuple[str, Any]] = [
        ("/v1/datasets/%00", None),
        ("/v1/datasets?cursor=%00", None),
        ("/v1/jobs/%00", None),
        ("/v1/images/%00", None),
        ("/v1/saliency", {**LOOKS, "image": "\0"}),
        ("/v1/saliency", {**LOOKS, "network": "a\0"}),
        ("/v1/evaluate", {"network": "palette", "dataset": "\0"}),
    ]
    with serving(settings.model_copy(update={"database_url": database_url})) as client:
        for path, body in requests:
            answer = client.get(path) if body is None else client.post(path, json=body)
            assert answer.status_code < 500, answer.text
