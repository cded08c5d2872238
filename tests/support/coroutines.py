"""Coroutines in tests that may share their process with those of the page."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_in_thread(coroutine: Coroutine[object, object, T]) -> T:
    """What a coroutine returns, by a loop of its own: Playwright leaves one running in the main thread."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()
