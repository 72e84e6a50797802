"""What a key a subject would cost the server: sealing each record with its subject's key, beside what is written today.

    python -m benchmarks.sealing

One thread, batches of 64 records as a busy server writes them and of one; microseconds a record, the best of 7 rounds. A new
subject makes a key, wraps it with the home's and appends it to a file, without syncing, as the log itself is written.
Decision 0042 weighs the figures.
"""

from __future__ import annotations

import base64
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from serving.log.segment import Cipher, close_group
from serving.log.writer import Prediction

ROUNDS, RECORDS = 7, 6_400
FEATURES = {f"column_{n}": 1.5 * n for n in range(20)}


def main() -> None:
    """Print the table."""
    table = Table("what", "64 records a write", "1 record a write", title="microseconds a record")
    with tempfile.TemporaryDirectory() as folder:
        for name, act in _ways(Path(folder)).items():
            table.add_row(name, *(f"{_best(act, batch):.1f}" for batch in (64, 1)))
    Console().print(table)


def _record(number: int) -> Prediction:
    time_ = "2026-01-01T00:00:00.000000Z"
    features = {**FEATURES, "customer": number}
    answered = ("1", "r", "champion", "shop", features, "yes", [0.4, 0.6], 10, "d" * 64)
    return Prediction(f"{number:032x}", time_, time_, *answered)


def _ways(folder: Path) -> dict[str, Callable[[list[Prediction]], Any]]:
    encoder, home = msgspec.json.Encoder(), Cipher(os.urandom(32))
    known = {number: Cipher(os.urandom(32)) for number in range(RECORDS)}
    keys = os.open(folder / "keys", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def sealed(cipher: Cipher, record: Prediction) -> bytes:
        return base64.b64encode(cipher.seal_bytes(encoder.encode(record), record.prediction_id))

    def plain(records: list[Prediction]) -> None:
        close_group(encoder.encode_lines(records), len(records), "segment", None)

    def group(records: list[Prediction]) -> None:
        close_group(encoder.encode_lines(records), len(records), "segment", home)

    def each(records: list[Prediction]) -> None:
        lines = b"\n".join(sealed(known[record.features["customer"]], record) for record in records)
        close_group(lines, len(records), "segment", None)

    def fresh(records: list[Prediction]) -> None:
        made = [os.urandom(32) for _ in records]
        os.write(keys, b"".join(home.seal_bytes(key, "key") for key in made))
        lines = b"\n".join(sealed(Cipher(key), record) for key, record in zip(made, records, strict=True))
        close_group(lines, len(records), "segment", None)

    return {
        "in the clear, with its checksum": plain,
        "the group sealed with the log's key (SLIPWAY_LOG_KEY)": group,
        "each sealed with its subject's key, known": each,
        "each sealed with its subject's key, all new": fresh,
    }


def _best(act: Callable[[list[Prediction]], Any], batch: int) -> float:
    records = [_record(number) for number in range(RECORDS)]
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for start in range(0, RECORDS, batch):
            act(records[start : start + batch])
        best = min(best, (time.perf_counter() - began) / RECORDS * 1e6)
    return best


if __name__ == "__main__":
    main()
