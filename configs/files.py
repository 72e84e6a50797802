"""Writing files that a killed process, a full disk or a power failure must not leave in parts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # a power failure must not leave the new name on an empty file
    os.replace(temporary, path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the kernel's lock on a file that is there for nothing else; it is let go of however the process ends."""
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def append_line(path: Path, line: bytes) -> bytes:
    """Append a line as a whole or not at all, one writer at a time; returns the torn end that was cut off before, if any.

    A short write (a full disk, a signal) is written on or taken back; what a power failure tore is cut off by the next.
    """
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        torn = _torn_end(file)
        end = os.fstat(file).st_size - len(torn)
        if torn:
            os.ftruncate(file, end)
        left = line + b"\n"
        try:
            while left:
                left = left[os.write(file, left) :]
            os.fsync(file)
        except BaseException:
            os.ftruncate(file, end)
            raise
    finally:
        os.close(file)
    return torn


def _torn_end(file: int) -> bytes:
    """What stands behind the last line break."""
    size, torn = os.fstat(file).st_size, b""
    while size > 0:
        begin = max(0, size - 65536)
        block = os.pread(file, size - begin, begin)
        _, found, rest = block.rpartition(b"\n")
        torn = (rest if found else block) + torn
        if found:
            break
        size = begin
    return torn
