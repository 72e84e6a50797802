"""Reading the prediction log: one DuckDB query over all of it, segments and Parquet parts, finished or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from configs.errors import CheckFailed
from configs.settings import prediction_log
from serving.contract.contract import Contract
from serving.log.segment import SegmentError, groups
from serving.traffic.plan import HALT
from tasks.log.encryption import check_part, may_be_plain
from tasks.log.files import connect, is_sealed, parts, read_part, reading, segments
from tasks.log.keys import required_cipher

TEST_CALLER = "integration-test"  # these requests are no traffic: monitoring leaves them out
# A shadow's answers have a kind of their own, `shadow`: nobody was answered.
# While a use case is halted no model answers, so no model is judged by what was answered then.
LIVE = f"kind = 'prediction' and caller != '{TEST_CALLER}' and variant is distinct from '{HALT}'"
LARGEST_LINE = 64 * 1024 * 1024
# A random number of 32 bits a prediction, the same for its labels, its shadows and for what was sent twice:
# `bucket < share * BUCKETS` is a sample of the log. Parts are sorted by it, so a sample is the first row groups of each.
BUCKET = "(md5_number_lower(prediction_id) >> 32)::uinteger"
BUCKETS = 2**32

COLUMNS = {
    "kind": "VARCHAR",
    "prediction_id": "VARCHAR",
    "time": "TIMESTAMP",
    "event_time": "TIMESTAMP",
    "model_version": "VARCHAR",
    "release": "VARCHAR",
    "variant": "VARCHAR",
    "caller": "VARCHAR",
    "features": "JSON",
    "prediction": "VARCHAR",
    "label": "VARCHAR",
    "kpis": "JSON",
    "status": "INTEGER",
    "feature": "VARCHAR",
    "requests": "BIGINT",
    "output": "DOUBLE[]",
    "latency_us": "BIGINT",
    "request_digest": "VARCHAR",
    "place": "INTEGER",
    "form": "INTEGER",
    "plan": "VARCHAR",
    "assigned": "VARCHAR",
    "fallback": "VARCHAR",
    "decision": "VARCHAR",
}
# What predictions of the first form, which has no number, called their output. Segments and parts hold either; nobody who
# reads the log sees the difference.
BEFORE = {"probabilities": "DOUBLE[]"}
OUTPUT = "coalesce(output, probabilities) as output"


@contextmanager
def open_log(
    use_case: str, contract: Contract | None = None, log: str = "predictions"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view `log` of every record: predictions, feedback, what shadows said, what was refused.

    `features` is JSON, or with a contract a struct of its columns; `bucket` is for samples. A line that was torn by a crash
    is no record: it was never answered. It reads as nulls, and `kind is null` counts it until maintenance cuts it off.

    Raises:
        CheckFailed: the log is encrypted and the key does not open it.
    """
    folder = prediction_log(use_case, log)
    with reading(folder):
        connection, memory = connect()
        try:
            source = _source(folder, memory)
        except SegmentError as error:
            raise CheckFailed(str(error)) from None
        features = "features" if contract is None else f"json_transform(features, {_structure(contract)}) as features"
        others = ", ".join(OUTPUT if name == "output" else name for name in COLUMNS if name != "features")
        connection.execute(
            f"create view log as select {others}, bucket, {features} from ({source}) where kind is distinct from 'commit'"
        )
        with connection:
            yield connection


def json_lines(paths: list[str]) -> str:
    """The records of segments as a SQL table, each with the columns of its own form."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in (COLUMNS | BEFORE).items())
    return f"read_ndjson({paths!r}, columns = {{{columns}}}, ignore_errors = true, maximum_object_size = {LARGEST_LINE})"


def find_prediction(use_case: str, prediction_id: str, log: str = "predictions") -> set[str]:
    """Which kinds of record the log holds of a prediction."""
    with open_log(use_case, log=log) as records:
        rows = records.execute("select distinct kind from log where prediction_id = ?", [prediction_id]).fetchall()
    return {kind for (kind,) in rows}


def _source(folder: Path, memory: Any) -> str:
    """Every file of the log as one SQL query; what is encrypted is opened into memory."""
    lines, tables, may = [], [], may_be_plain(folder)
    for segment in segments(folder):
        if not is_sealed(segment) and may(segment):
            lines.append(str(segment))
        elif opened := b"".join(group for _, group in groups(segment, required_cipher(), may(segment))):
            lines.append(_put(memory, segment.name, opened))
    for part in parts(folder):
        check_part(part, may)
        tables.append(_put(memory, f"{part.parent.name}-{part.name}", read_part(part)) if is_sealed(part) else str(part))
    nothing = ", ".join(f"null::{kind} as {name}" for name, kind in (COLUMNS | BEFORE).items())
    queries = [f"select {nothing}, null::uinteger as bucket where false"]
    if lines:
        queries.append(f"select *, {BUCKET} as bucket from {json_lines(lines)}")
    if tables:
        queries.append(f"select * from read_parquet({tables!r}, hive_partitioning = false, union_by_name = true)")
    return " union all by name ".join(queries)


def _put(memory: Any, name: str, data: bytes) -> str:
    memory.pipe(f"/{name}", data)
    return f"memory:///{name}"


def _structure(contract: Contract) -> str:
    kinds = {"float32": "FLOAT", "string": "VARCHAR"}
    return "'" + json.dumps({c.name: kinds[c.dtype] for c in contract.columns}).replace("'", "''") + "'"
