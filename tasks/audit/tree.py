"""The record of a use case as files: the entries, their leaf hashes, and the checkpoints that sign them.

```
use_cases/NAME/audit/
  entries.jsonl      an entry a line, canonical JSON; only ever appended to
  hashes             their leaf hashes, 32 bytes each: a second copy, by which a changed entry is found
  checkpoints/       a signed note a file, named by the number of entries
  rows/              leaf hashes of the rows of each part of the prediction log that is there (rows.py)
```
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from configs.files import append_line, locked, write_atomically
from configs.settings import made, use_case_home
from tasks.audit.outside import leaf_hash, read_notes

HASH_BYTES = 32


def record_folder(use_case: str) -> Path:
    """Where the record lies."""
    return made(use_case_home(use_case) / "audit")


@contextmanager
def changing(use_case: str) -> Iterator[None]:
    """Nobody else adds to the record meanwhile."""
    with locked(record_folder(use_case) / "lock"):
        yield


def read_entries(use_case: str) -> list[bytes]:
    """Every entry, oldest first; what a crash tore at the end is none."""
    path = record_folder(use_case) / "entries.jsonl"
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def read_hashes(use_case: str) -> list[bytes]:
    """Their leaf hashes, as they were when they were added."""
    path = record_folder(use_case) / "hashes"
    data = path.read_bytes() if path.exists() else b""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data) - len(data) % HASH_BYTES, HASH_BYTES)]


def own_notes(use_case: str) -> list[str]:
    """The checkpoints, oldest first."""
    return read_notes(made(record_folder(use_case) / "checkpoints"))


def add(use_case: str, entries: Sequence[bytes], before: Sequence[bytes]) -> None:
    """Append entries to those `before`; also the hashes that a killed run did not write. Call it within `changing`."""
    folder = record_folder(use_case)
    if entries:
        append_line(folder / "entries.jsonl", b"\n".join(entries))
    leaves, kept = [leaf_hash(entry) for entry in (*before, *entries)], min(len(before), len(read_hashes(use_case)))
    with (folder / "hashes").open("ab") as file:
        file.truncate(kept * HASH_BYTES)
        file.write(b"".join(leaves[kept:]))
        file.flush()
        os.fsync(file.fileno())


def cut(use_case: str, size: int) -> None:
    """Keep the first `size` entries, which are signed. Call it within `changing`."""
    folder, kept = record_folder(use_case), read_entries(use_case)[:size]
    write_atomically(folder / "entries.jsonl", b"".join(entry + b"\n" for entry in kept))
    write_atomically(folder / "hashes", b"".join(read_hashes(use_case)[:size]))


def keep_note(use_case: str, size: int, note: str) -> None:
    """Keep a checkpoint of so many entries."""
    write_atomically(made(record_folder(use_case) / "checkpoints") / note_name(size), note.encode())


def note_name(size: int) -> str:
    """The name of a checkpoint's file, so that names sort as the sizes do.

    >>> note_name(42)
    '000000000042.txt'
    """
    return f"{size:012d}.txt"
