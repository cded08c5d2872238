"""Apps of the service that tests use in turn: to make and to describe one is most of a short test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI

from app.database.migrations import upgrade
from app.http.services import make_services
from app.kinds import KINDS, KindSpec, Params
from app.main import create_app
from app.settings import DATABASE_FILE, Settings
from tests.support.databases import put_migrated

# What an app is made from, except its services: its settings and the kinds there are.
Source = tuple[dict[str, Any], list[KindSpec[Params]]]

_idle: list[tuple[Source, FastAPI]] = []


@contextmanager
def lent_app(settings: Settings) -> Iterator[FastAPI]:
    """An app with services of its own for these settings; its routes may have served other tests."""
    if not settings.names_database:
        put_migrated(settings.data_dir / DATABASE_FILE)
    source = (settings.model_dump(exclude={"data_dir", "database_url"}), list(KINDS.values()))
    app = _take(source)
    if app is None:
        app = create_app(settings)
    else:
        if settings.names_database:
            upgrade(settings.resolved_database_url)
        app.state.services = make_services(settings)
    yield app
    del app.state.services
    _idle.append((source, app))


def _take(source: Source) -> FastAPI | None:
    """An app that nobody uses now and that was made from the same."""
    for number, (other, app) in enumerate(_idle):
        if other == source:
            del _idle[number]
            return app
    return None
