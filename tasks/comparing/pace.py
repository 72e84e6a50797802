"""Progress: what takes longer than two seconds says how far it has come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from prefect import get_run_logger

SECONDS = 2.0
T = TypeVar("T")


def paced(what: str, items: Sequence[T]) -> Iterator[T]:
    """The items; whenever two seconds have passed, a line of the run's log says how many of them are done."""
    told = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - told >= SECONDS:
            get_run_logger().info("%s: %s of %s", what, done, len(items))
            told = time.monotonic()
        yield item
