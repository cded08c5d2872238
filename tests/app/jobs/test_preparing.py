"""Requests for jobs, checked many at a time."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

from app.database.engine import make_engine
from app.database.ids import new_id
from app.database.migrations import upgrade
from app.errors import ServiceError
from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.jobs.preparing import Checked, Preparer
from app.kinds import KINDS
from app.networks.catalogue import SHIPPED
from app.settings import Settings


@pytest.fixture
def preparer(settings: Settings) -> Iterator[Preparer]:
    upgrade(settings.resolved_database_url)
    engine = make_engine(settings.resolved_database_url)
    yield Preparer(engine, settings)
    engine.dispose()


def with_pictures(kind: str) -> dict[str, Any]:
    """The example of a kind, with other pictures at each call."""
    spec = KINDS[kind]
    fields = spec.params.model_fields
    needed = {
        name: [new_id(), new_id()] if mark.many else new_id()
        for name, mark in spec.params.picture_fields().items()
        if fields[name].is_required() or name == spec.example_picture
    }
    return {**spec.example, **needed}


@pytest.mark.parametrize("kind", KINDS)
def test_requests_that_differ_in_pictures_and_seeds_are_parsed_like_each_alone(
    preparer: Preparer, kind: str
) -> None:
    asked_of_all = [with_pictures(kind) for _ in range(6)]
    if "seed" in KINDS[kind].params.model_fields:
        for asked, seed in zip(asked_of_all[1:], (1, 2, 2**63 - 1, 2**63, True), strict=True):
            asked["seed"] = seed
    for asked in asked_of_all:
        try:
            alone = parse_params(kind, asked, SHIPPED)
        except ServiceError as error:
            with pytest.raises(type(error)) as caught:
                preparer.parse(kind, asked)
            assert caught.value.errors == error.errors
        else:
            made = preparer.parse(kind, asked)
            assert made == alone and type(made) is type(alone)
            assert made.model_dump(mode="json") == alone.model_dump(mode="json")
            assert made.pictures() == alone.pictures()


@pytest.mark.parametrize("style", ["", "x" * 201, 7, None, [], ["a"] * 9, [""], [["a"]], {"a": 1}])
def test_a_picture_that_is_none_is_refused_also_after_a_good_one(preparer: Preparer, style: Any) -> None:
    good = {"content": new_id(), "style": new_id()}
    for asked in (good, {"content": new_id(), "style": [new_id()]}, {"content": new_id()}):
        if "style" in asked:
            preparer.parse("style_transfer", asked)
    with pytest.raises(ParamsError) as caught:
        preparer.parse("style_transfer", {**good, "style": style})
    assert caught.value.field is not None and caught.value.field.startswith("style")


def test_weights_are_counted_against_each_request_s_own_pictures(preparer: Preparer) -> None:
    two = {"content": new_id(), "style": [new_id(), new_id()], "style_weights": [1, 2]}
    preparer.parse("style_transfer", two)
    with pytest.raises(ParamsError, match="style_weights"):
        preparer.parse("style_transfer", {**two, "style": [new_id()]})


def test_a_thousand_are_checked_with_a_few_queries(preparer: Preparer) -> None:
    asked = [preparer.parse("deep_dream", {"image": new_id(), "seed": n % 3}) for n in range(1000)]
    found: list[str] = []
    engine: Engine = preparer.catalogue.engine  # type: ignore[assignment]
    event.listen(engine, "before_cursor_execute", lambda *args: found.append(args[2]))
    checked = preparer.check(asked)
    assert sum(each.startswith("SELECT") for each in found) == 2
    assert all(isinstance(each, ParamsError) and each.field == "image" for each in checked)
    (table,) = preparer.check([preparer.parse("architecture", {"network": "palette"})])
    assert isinstance(table, Checked)
    new = preparer.new_job(table, batch_id="b", batch_line=3)
    assert (new.kind, new.lane, new.batch_line, new.stack_key) == ("architecture", "short", 3, None)


def test_what_is_reproducible_is_never_computed_together(preparer: Preparer) -> None:
    image = new_id()
    (checked,) = preparer.check([preparer.parse("classify", {"image": image})], uploaded={image: None})
    assert isinstance(checked, Checked)
    usual, alone = preparer.new_job(checked), preparer.new_job(checked, reproducible=True)
    assert (usual.stack_key is None, usual.reproducible) == (False, False)
    assert (alone.stack_key is None, alone.reproducible) == (True, True)
