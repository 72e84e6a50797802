"""A proxy before a challenger's server that makes it faulty: `python -m benchmarks.rollouts.faulty PORT TARGET FAULT`.

FAULT is `delay` (200 ms more), `errors` (5 % of the answers are a 500), `leak` (each request keeps 4 MiB; at 1 GiB the
process ends, and nobody starts it again), or `nothing`.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

DELAY, ERRORS, LEAK, MEMORY = 0.2, 0.05, 4 << 20, 1 << 30
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def main(port: int, target: int, fault: str) -> None:
    """Serve until it is killed, or until the leak ends it."""
    kept: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ahead, back = await asyncio.open_connection("127.0.0.1", target)
        try:
            while True:
                request = await _message(reader)
                if fault == "delay":
                    await asyncio.sleep(DELAY)
                if fault == "leak":
                    kept.append(b"x" * LEAK)
                    if len(kept) * LEAK > MEMORY:
                        os._exit(1)
                if fault == "errors" and random.random() < ERRORS:
                    writer.write(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n")
                    continue
                back.write(request)
                writer.write(await _message(ahead))
        except asyncio.IncompleteReadError:  # one of the two has closed
            writer.close()
            back.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer of HTTP/1.1 with a `content-length`."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return head + await reader.readexactly(int(length or 0))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
