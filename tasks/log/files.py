"""The files of a prediction log: segments that servers append to, and the Parquet parts that finished ones become.

```
predictions/
  predictions-TIME-PID-RANDOM.jsonl                      a segment (serving/log/segment.py)
  compacted/day=2026-11-24/predictions-....parquet       what it became; .parquet.sealed where the log is encrypted
                           predictions-....parquet.sha256  its checksum; what is sealed has its own
```

A segment is replaced by its parts while nobody reads: readers hold a shared lock, the swap an exclusive one.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import fsspec

from configs.files import write_atomically
from configs.settings import made
from serving.log.segment import SEALED, SegmentError
from tasks.log.keys import required_cipher

SEALED_SUFFIX = ".sealed"
PARQUET = "(format parquet, compression zstd, row_group_size 8192)"  # small groups: a sample reads few rows in vain


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """No file of the log is taken away meanwhile."""
    with _locked(folder / "readers.lock", fcntl.LOCK_SH):
        yield


@contextmanager
def swapping(folder: Path) -> Iterator[None]:
    """Nobody reads the log meanwhile."""
    with _locked(folder / "readers.lock", fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, how)
        yield


@contextmanager
def maintaining(folder: Path) -> Iterator[None]:
    """Nobody else compacts or erases meanwhile; what was erased could otherwise come back."""
    with _locked(folder / "maintenance.lock", fcntl.LOCK_EX):
        yield


def segments(folder: Path) -> list[Path]:
    """Segments that hold something, oldest first."""
    return sorted(path for path in folder.glob("*.jsonl") if path.stat().st_size)


def is_finished(segment: Path) -> bool:
    """Whether no server writes to it any more."""
    with segment.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_sealed(segment: Path) -> bool:
    """Whether it, or a part, is encrypted."""
    if segment.suffix == SEALED_SUFFIX:
        return True
    with segment.open("rb") as file:
        return file.read(len(SEALED)) == SEALED


def parts(folder: Path) -> list[Path]:
    """The Parquet parts. Those of a segment that is still there do not count: a killed compaction will be redone."""
    unfinished = {path.stem for path in folder.glob("*.jsonl")}
    found = [*folder.glob("compacted/day=*/*.parquet"), *folder.glob(f"compacted/day=*/*.parquet{SEALED_SUFFIX}")]
    return sorted(path for path in found if path.name.split(".")[0] not in unfinished)


def part_path(folder: Path, day: date, segment: str, sealed: bool) -> Path:
    """Where the records of a day go that a segment holds."""
    name = f"{segment}.parquet{SEALED_SUFFIX if sealed else ''}"
    return made(folder / "compacted" / f"day={day.isoformat()}") / name


def part_day(part: Path) -> date:
    """The day whose records it holds."""
    return date.fromisoformat(part.parent.name.removeprefix("day="))


def read_part(part: Path) -> bytes:
    """The Parquet bytes.

    Raises:
        SegmentError: the key is another one, or the file was changed, or put into the folder of another day.
    """
    data, sums = part.read_bytes(), _sums(part)
    if sums.exists() and hashlib.sha256(data).hexdigest() not in sums.read_text().split():
        raise SegmentError(f"{part.name}: its bytes are not those that were written (SHA-256)")
    if part.suffix != SEALED_SUFFIX:
        return data
    try:
        return required_cipher().open_bytes(data, f"{part.parent.name}/{part.name}")
    except SegmentError:
        return required_cipher().open_bytes(data, part.name)  # from before, when a part was not bound to its day


def write_part(part: Path, data: bytes) -> None:
    """Put Parquet bytes into place, sealed where the name says so, else with their checksum."""
    put_part(part, as_it_lies(part, data))


def as_it_lies(part: Path, data: bytes) -> bytes:
    """The bytes of the part's file: those of the Parquet, or sealed where the name says so. Sealed twice they differ."""
    sealed = part.suffix == SEALED_SUFFIX
    return required_cipher().seal_bytes(data, f"{part.parent.name}/{part.name}") if sealed else data


def put_part(part: Path, content: bytes) -> None:
    """Put the bytes of `as_it_lies` into place.

    Killed anywhere, the part is one of those that its checksums stand for: the old one or the new.
    """
    if part.suffix == SEALED_SUFFIX:
        write_atomically(part, content)
        return
    digest, sums = hashlib.sha256(content).hexdigest(), _sums(part)
    before = hashlib.sha256(part.read_bytes()).hexdigest() if part.exists() else ""
    write_atomically(sums, f"{before} {digest}".encode())
    write_atomically(part, content)
    write_atomically(sums, digest.encode())


def remove_part(part: Path) -> None:
    """Take a part away, and its checksum."""
    part.unlink()
    _sums(part).unlink(missing_ok=True)


def _sums(part: Path) -> Path:
    return part.with_name(f"{part.name}.sha256")


def connect() -> tuple[duckdb.DuckDBPyConnection, Any]:
    """DuckDB, and a file system in memory that it reads from and writes to as `memory://`."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    memory = fsspec.filesystem("memory", skip_instance_cache=True)
    memory.store, memory.pseudo_dirs = {}, [""]  # its own, not the one that all of this process share
    connection.register_filesystem(memory)
    return connection, memory
