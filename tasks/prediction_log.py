"""Reading the prediction log: one DuckDB query over all segments, finished or not."""

from __future__ import annotations

import duckdb

from configs.settings import prediction_log
from serving.contract import Contract

TEST_CALLER = "integration-test"  # these requests are no traffic: monitoring leaves them out
LIVE = f"kind = 'prediction' and caller != '{TEST_CALLER}'"

_COMMON = {
    "kind": "VARCHAR",
    "prediction_id": "VARCHAR",
    "time": "TIMESTAMP",
    "event_time": "TIMESTAMP",
    "model_version": "VARCHAR",
    "release": "VARCHAR",
    "caller": "VARCHAR",
    "prediction": "VARCHAR",
    "label": "VARCHAR",
    "probabilities": "DOUBLE[]",
    "latency_us": "BIGINT",
}


def open_log(use_case: str, contract: Contract | None = None) -> duckdb.DuckDBPyConnection:
    """A connection with a view `log` of every record, prediction and feedback alike.

    A line that was torn by a crash is no record: it was never answered. It reads as nulls, and `kind is null` counts it.
    """
    features = "JSON"
    if contract is not None:
        kinds = {"float32": "FLOAT", "string": "VARCHAR"}
        features = "STRUCT(" + ", ".join(f'"{c.name}" {kinds[c.dtype]}' for c in contract.columns) + ")"
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in {**_COMMON, "features": features}.items())
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    segments = sorted(str(path) for path in prediction_log(use_case).glob("*.jsonl") if path.stat().st_size)
    if segments:
        source = f"read_ndjson({segments!r}, columns = {{{columns}}}, ignore_errors = true, maximum_object_size = 33554432)"
    else:
        nulls = ", ".join(f"null::{kind} as {name}" for name, kind in {**_COMMON, "features": features}.items())
        source = f"(select {nulls} where false)"
    connection.execute(f"create view log as select * from {source}")
    return connection


def find_prediction(use_case: str, prediction_id: str) -> set[str]:
    """Which kinds of record the log holds of a prediction."""
    rows = open_log(use_case).execute("select distinct kind from log where prediction_id = ?", [prediction_id])
    return {kind for (kind,) in rows.fetchall()}
