"""Erasure of one subject's records from the prediction log, for privacy law (GDPR, article 17). Audited.

Runs outside Prefect, which would keep the subject's identifier among the parameters of its flow runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.errors import CheckFailed, InputError, nearest
from configs.schema import UseCase
from configs.settings import prediction_log, store
from serving.log import hashed, pepper
from serving.segment import log_key
from tasks.history import record
from tasks.log_files import PARQUET, connect, parts, read_part, remove_part, swapping, write_part
from tasks.prediction_log import open_log
from tasks.values import Value

RECORD_FIELDS = ("caller", "prediction_id")


class Erasure(Value):
    """What was taken out: predictions, the labels that belonged to them, and the collected windows that held copies."""

    predictions: int
    labels: int
    windows: int


def parse_condition(text: str, use_case: UseCase) -> tuple[str, str]:
    """`FIELD=VALUE` as field and value.

    Raises:
        InputError: it has another form, or the log has no such field.
    """
    name, sign, value = text.partition("=")
    fields = [*use_case.features.identifiers, *use_case.features.all, *RECORD_FIELDS]
    if not sign or not value:
        raise InputError(f"--where {text!r}: write FIELD=VALUE, for example {fields[0]}=42")
    if name not in fields:
        raise InputError(f"--where {text!r}: the log has no field {name!r}; {nearest(name, fields)}")
    return name, value


def matching(use_case: str, conditions: list[tuple[str, str]]) -> list[str]:
    """The ids of the predictions that meet every condition; hashed values are found by their hash."""
    clauses, values = [], []
    for name, value in conditions:
        column = name if name in RECORD_FIELDS else "json_extract_string(features, ?)"
        if column != name:
            path = '$."' + name.replace('"', '\\"') + '"'
            clauses.append(f"({column} in (?, ?) or try_cast({column} as double) = try_cast(? as double))")
            values += [path, value, hashed(value, pepper(use_case, log_key())), path, value]
        else:
            clauses.append(f"{column} = ?")
            values.append(value)
    query = f"select distinct prediction_id from log where kind = 'prediction' and {' and '.join(clauses)}"
    with open_log(use_case) as log:
        return [found for (found,) in log.execute(query, values).fetchall()]


def erase(use_case: str, conditions: list[tuple[str, str]], reason: str) -> Erasure:
    """Take every matching prediction, its labels and its copies out of the Parquet parts and the collected windows.

    Call it within `log_files.maintaining`, after `rotate` and `compact`. What arrives meanwhile is not erased.

    Raises:
        CheckFailed: afterwards the log still holds a match (a damaged segment, or new requests of the subject).
    """
    folder, ids = prediction_log(use_case), set(matching(use_case, conditions))
    counts = {"prediction": 0, "feedback": 0}
    for part in parts(folder) if ids else []:
        for kind, count in _rewrite(folder, part, ids).items():
            counts[kind] += count
    windows = _drop_windows(ids) if ids else 0
    done = Erasure(predictions=counts["prediction"], labels=counts["feedback"], windows=windows)
    key = pepper(use_case, log_key())
    where = {name: hashed(value, key) for name, value in conditions}  # the audit must not keep what was erased
    record(use_case, "log-erasure", reason, where=where, **done.model_dump())
    left = matching(use_case, conditions)
    if left:
        raise CheckFailed(f"{len(left)} matches are in segments still; see 'slipway log verify', and run this again")
    return done


def _rewrite(folder: Path, part: Path, ids: set[str]) -> dict[str, int]:
    """The part without these predictions and their labels; how many of each it held."""
    connection, memory = connect()
    with connection:
        memory.pipe("/part", read_part(part))
        connection.execute("create table ids as select unnest(?::varchar[]) as id", [sorted(ids)])
        connection.execute("create table records as from read_parquet('memory:///part', hive_partitioning = false)")
        chosen = "coalesce(prediction_id in (select id from ids), false)"  # counts of refusals are nobody's
        counted: dict[str, Any] = dict(
            connection.sql(f"select kind, count(*) from records where {chosen} group by kind").fetchall()
        )
        if counted:
            ((left,),) = connection.sql(f"select count(*) from records where not ({chosen})").fetchall()
            kept = f"select * from records where not ({chosen})"
            connection.execute(f"copy ({kept} order by bucket, time) to 'memory:///kept' {PARQUET}")
            with swapping(folder):
                if left:
                    write_part(part, memory.cat("/kept"))
                else:
                    remove_part(part)
    return counted


def _drop_windows(ids: set[str]) -> int:
    """Collected windows are copies that monitoring makes again when it needs them."""
    import pyarrow.parquet as pq

    dropped = 0
    for window in store("windows").glob("*.parquet"):
        held = pq.read_table(window, columns=["prediction_id"])["prediction_id"].to_pylist()
        if not ids.isdisjoint(held):
            window.unlink()
            dropped += 1
    return dropped
