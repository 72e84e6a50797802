"""The prediction log where no disk stays: each batch is a segment of its own, an object that is stored before the answer.

Its form is that of every segment (`segment.py`): one group. `slipway log pull` takes such objects home.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence

import msgspec

from serving.log.s3 import Bucket
from serving.log.segment import Cipher, close_group
from serving.log.writer import Entry


class ObjectLog:
    """Stores records in a bucket. What `append` returned for is stored there, wherever this process ends."""

    def __init__(self, bucket: Bucket, key: bytes | None = None) -> None:
        self._bucket = bucket
        self._cipher = Cipher(key) if key else None
        self._encoder = msgspec.json.Encoder()

    def append(self, records: Sequence[Entry]) -> int:
        """Store the records of one batch; returns the bytes stored.

        Raises:
            OSError: the bucket did not take them; the batch must then not be answered.
        """
        name = f"predictions-{time.time_ns()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        data = close_group(self._encoder.encode_lines(records), len(records), name, self._cipher)
        self._bucket.put(name, data)
        return len(data)

    def tick(self) -> None:
        """Nothing is held back that a moment could end."""

    def close(self) -> None:
        """Nothing is open."""
