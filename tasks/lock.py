"""One run at a time changes a use case; a second one says so and waits."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.runtime import flow_run

from configs.settings import use_case_home
from tasks.fence import epoch


def holder(use_case: str) -> str:
    """The run that holds the use case's lock now; empty where none does."""
    with open(use_case_home(use_case) / "lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            return file.read().strip() or "another process"
    return ""


@contextmanager
def one_at_a_time(use_case: str) -> Iterator[int]:
    """Hold the use case's lock, and know since which epoch it was wanted (`tasks/fence.py`).

    The kernel lets go of the lock when the process ends, however it ends. A rollback does not wait for it.
    """
    began = epoch(use_case)
    with open(use_case_home(use_case) / "lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            get_run_logger().warning("Another run works on %s (%s); waiting for it", use_case, file.read().strip())
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"flow run {flow_run.get_name() or 'unknown'}, process {os.getpid()}")
        file.flush()
        yield began
