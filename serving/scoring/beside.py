"""Work beside the event loop: large bodies are read, and large answers written, while small requests go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

LARGE_BODY = 64 * 1024  # bytes; a body with more is read here, and in slices
Result = TypeVar("Result")


class Beside:
    """One worker's one thread for it: large requests take turns, so however many there are the loop has half the core.

    The thread and the loop share Python's lock, so what runs here must be many short steps, never one long call.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "beside")

    async def __call__(self, work: Callable[..., Result], *given: object) -> Result:
        """Return what the work returns, or raise what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)
