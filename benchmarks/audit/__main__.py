"""What the audit record costs: a look-up of one prediction, or of one person, among millions, entering a part's rows,
verifying entries.

    python -m benchmarks.audit [RECORDS]

Records are those of a server's writer, compacted; more parts are copies of the first with other ids, so that ten million
take minutes and not an hour. All are in the record, and each answer holds its proof.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from configs.load import parse_use_case
from configs.settings import prediction_log
from serving.log.writer import Prediction, PredictionLog
from tasks.audit.checkpoint import sign_record
from tasks.audit.collect import entry_of
from tasks.audit.outside import check_tree, leaf_hash, root_hash
from tasks.audit.rows import row_hashes
from tasks.audit.signing import audit_key, make_audit_key, signed_checkpoint
from tasks.audit.subject import subject
from tasks.audit.why import why
from tasks.log.compact import compact
from tasks.log.conditions import Condition, matching
from tasks.log.erase import erase
from tasks.log.files import PARQUET, parts
from tasks.log.ledger import ledger_path
from tasks.log.read import BUCKET

PART = 160_000  # rows of a full segment of such records, 64 MiB
BATCH = 2_000
ENTRIES = 100_000
TIMES = 5
CASE = """
name: bench
description: The records of a benchmark.
source: {tables: {rows: rows.csv}}
target: {column: y, positive: "yes"}
features: {numeric: [a], categorical: [c], identifiers: [customer]}
evaluation: {gates: [{metric: roc_auc, at_least: 0.6}]}
monitoring: {window: 100 rows}
"""


def main(records: int = 10_000_000) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SLIPWAY_HOME"] = folder
        table = Table("what", "how much", "seconds, the middle of 5", title="the audit record")
        first = _first_part()
        _more_parts(first, records - PART)
        found = parts(prediction_log("bench"))
        ledger_path("bench").unlink()  # the copies were there before it, so a new one begins with them
        sign_record("bench")
        known = _some_id(found[len(found) // 2])
        assert (answer := why("bench", known)) is not None
        assert answer.proof, answer.proven
        table.add_row("why PREDICTION_ID", f"{records:,} records, {len(found)} parts", _timed(lambda: why("bench", known)))
        case, hers = parse_use_case(CASE, "bench.yaml"), [Condition("customer", "42")]
        found_of = f"{len(matching('bench', hers)):,} of {records:,} records are theirs"
        table.add_row("subject customer=42", found_of, _timed(lambda: subject(case, hers, lambda *_: None)))
        table.add_row("entering the rows of a part", f"{PART:,} rows", _timed(lambda: row_hashes(first)))
        table.add_row("verifying entries", f"{ENTRIES:,}", _timed(_verification()))
        began = time.perf_counter()
        done = erase("bench", hers, "for the benchmark")
        took = f"{time.perf_counter() - began:.1f}, once"
        table.add_row("erasing customer=42", f"{done.predictions:,} records, in all {len(found)} parts", took)
        Console().print(table)


def _first_part() -> Path:
    log = PredictionLog(prediction_log("bench"), segment_bytes=2**30)
    for _ in range(PART // BATCH):
        log.append([_prediction(number) for number in range(BATCH)])
    log.close()
    compact("bench")
    return parts(prediction_log("bench"))[0]


def _prediction(number: int) -> Prediction:
    time_ = f"2026-01-01T00:00:00.{number:06d}Z"
    features = {"a": 1.5 * number, "c": "red", "customer": number}
    answered = ("1", "r", "champion", "shop", features, "yes", [0.4, 0.6], 10, "d" * 64)
    return Prediction(uuid.uuid4().hex, time_, time_, *answered)


def _more_parts(first: Path, records: int) -> None:
    with duckdb.connect() as connection:
        for number in range(records // PART):
            fresh = f"select * replace (md5('{number} ' || prediction_id) as prediction_id) from '{first}'"
            rows = f"select * replace ({BUCKET} as bucket) from ({fresh}) order by bucket, time"
            copy = first.with_name(f"predictions-copy-{number:05d}.parquet")
            connection.execute(f"copy ({rows}) to '{copy}' {PARQUET}")


def _some_id(part: Path) -> str:
    return str(duckdb.sql(f"select prediction_id from '{part}' limit 1 offset 1000").fetchall()[0][0])


def _verification() -> Callable[[], Any]:
    """A record of that many entries, whose checkpoint holds."""
    make_audit_key()
    event = {"what": "deploy", "reason": "better by 0.01", "time": "2026-01-01T00:00:00+00:00", "version": "7"}
    entries = [entry_of("history", number, event) for number in range(ENTRIES)]
    hashes = [leaf_hash(entry) for entry in entries]
    notes = [signed_checkpoint("bench", ENTRIES, root_hash(hashes))]

    def verify() -> None:
        assert not check_tree(entries, hashes, notes, audit_key("bench"))

    return verify


def _timed(action: Callable[[], Any]) -> str:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return f"{statistics.median(taken):.2f}"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
