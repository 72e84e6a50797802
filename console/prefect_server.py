"""The Prefect server of a home: `python -m console.prefect_server PORT`, kept running like every service.

It is Prefect's own server on SQLite, with one thing changed: a thread of its own collects Python's garbage. As usual, in
the thread of the event loop, a cursor that was left in a cycle is finalised there, which waits for its connection's mutex.
Where that connection waits itself, for the lock of a transaction that only the event loop can commit, nothing moves until
SQLite gives up, after the 60 seconds that Prefect sets (decision 0040).
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from itertools import count

EVERY = 0.25  # seconds between two collections, which are of the youngest objects, but for:
OLDER, ALL = 20, 240  # each so many


def main(port: str) -> None:
    """Be the server, until SIGTERM."""
    collect_aside()
    from prefect.cli import app

    sys.argv = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    app()


def collect_aside() -> None:
    """From now on no thread but one that does nothing else collects garbage."""
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()


def _collect() -> None:
    for turn in count(1):
        time.sleep(EVERY)
        gc.collect(2 if turn % ALL == 0 else 1 if turn % OLDER == 0 else 0)


if __name__ == "__main__":
    main(sys.argv[1])
