"""The store of a home: values that travel between steps, and files named by what they hold.

A value is small: a digest, a number, a verdict; never a frame or a fitted object. Files are named by the SHA-256 of their
content and lie in the store of their kind, so that a value read back from an interrupted run still means the same file,
also after the home folder has moved.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict

from configs.files import write_atomically
from configs.settings import store


class Value(BaseModel):
    """Base of all values: immutable, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def put(kind: str, suffix: str, content: bytes) -> str:
    """Keep bytes in the store of a kind under the SHA-256 of their content, atomically; returns that digest."""
    digest = hashlib.sha256(content).hexdigest()
    path = store(kind) / f"{digest}{suffix}"
    if not path.exists():
        write_atomically(path, content)
    return digest


def put_parquet(kind: str, table: Any) -> str:
    """Keep an Arrow table as Parquet under the digest of its bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return put(kind, ".parquet", sink.getvalue().to_pybytes())
