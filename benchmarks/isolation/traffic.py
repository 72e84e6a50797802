"""Even traffic at several use cases at once, and what came back of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from types import TracebackType

import aiohttp

SECONDS_A_REQUEST = 30.0


class Traffic:
    """So many requests a second to each address, for as long as the block lasts; each is sent once, at its time."""

    def __init__(self, targets: dict[str, tuple[str, bytes]], rate: float) -> None:
        self.statuses: dict[str, Counter[str]] = {name: Counter() for name in targets}
        self._targets, self._rate, self._over = targets, rate, threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), daemon=True)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def failed(self, name: str) -> Counter[str]:
        """What was no answer with status 200, and how often."""
        return Counter({what: count for what, count in self.statuses[name].items() if what != "200"})

    async def _send(self) -> None:
        timeout = aiohttp.ClientTimeout(total=SECONDS_A_REQUEST)
        async with aiohttp.ClientSession(timeout=timeout, headers={"content-type": "application/json"}) as session:
            began, number, running = time.monotonic(), 0, set()
            while not self._over.is_set():
                for name, (url, body) in self._targets.items():
                    task = asyncio.create_task(self._one(session, name, url, body))
                    running.add(task)
                    task.add_done_callback(running.discard)
                number += 1
                await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
            await asyncio.gather(*running)

    async def _one(self, session: aiohttp.ClientSession, name: str, url: str, body: bytes) -> None:
        try:
            async with session.post(url, data=body) as response:
                await response.read()
                self.statuses[name][str(response.status)] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.statuses[name][type(error).__name__] += 1
