"""Erasure of one subject's records from the prediction log, for privacy law (GDPR, article 17). Audited.

An identifier is text, exact: a JSON integer is its decimal digits, text is itself, so `123` is not `00123`. A category is
text too. A number of a numeric feature is what the contract keeps of it, 32 bits, whether it came as JSON or as a tensor.

Runs outside Prefect, which would keep the subject's identifier among the parameters of its flow runs.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from configs.errors import CheckFailed, InputError, nearest
from configs.schema import UseCase
from configs.settings import prediction_log
from serving.contract.kinds.numeric import FLOAT32_MAX
from serving.log.writer import hashed
from tasks.history import record
from tasks.log.collected import windows_of
from tasks.log.files import PARQUET, as_it_lies, connect, parts, put_part, read_part, remove_part, swapping
from tasks.log.keys import hash_keys
from tasks.log.ledger import described, note
from tasks.log.read import open_log
from tasks.log.reviews import forget_events
from tasks.log.values import pointer
from tasks.store import Value

RECORD_FIELDS = ("caller", "prediction_id")


class Erasure(Value):
    """What was taken out: predictions, the labels that belonged to them, the collected windows that held copies, what
    shadows said of the same rows, and what people decided about them (`reviews` events of the journal)."""

    predictions: int
    labels: int
    windows: int
    shadows: int = 0
    reviews: int = 0


class Condition(NamedTuple):
    """What a record must have: a value in a field of the record, or of its features."""

    field: str
    value: str
    numeric: bool = False


def parse_condition(text: str, use_case: UseCase) -> Condition:
    """`FIELD=VALUE` as a condition.

    Raises:
        InputError: it has another form, the log has no such field, or the value is none that the field can have.
    """
    fields = [*use_case.features.identifiers, *use_case.features.all, *RECORD_FIELDS]
    named = [field for field in fields if text.startswith(f"{field}=")]  # a name may have the sign in it
    name, sign, value = (longest := max(named, key=len), "=", text[len(longest) + 1 :]) if named else text.partition("=")
    if not sign or not value:
        raise InputError(f"--where {text!r}: write FIELD=VALUE, for example {fields[0]}=42")
    if name not in fields:
        raise InputError(f"--where {text!r}: the log has no field {name!r}; {nearest(name, fields)}")
    numeric = name in use_case.features.numeric
    if numeric and not _is_number(value):
        raise InputError(f"--where {text!r}: {name!r} is numeric; write a number that fits in 32 bits, as {name}=4.5")
    return Condition(name, value, numeric)


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) <= FLOAT32_MAX  # false for NaN
    except ValueError:
        return False


def matching(use_case: str, conditions: list[Condition]) -> list[str]:
    """The ids of the predictions that meet every condition; hashed values are found by their hash."""
    clause, values = _meets(use_case, conditions)
    with open_log(use_case) as log:
        found = log.execute(f"select distinct prediction_id from log where {clause}", values).fetchall()
    return [prediction_id for (prediction_id,) in found]


def _meets(use_case: str, conditions: list[Condition]) -> tuple[str, list[Any]]:
    """The predictions that meet every condition, as SQL, and its parameters."""
    keys = hash_keys(use_case)
    clauses, values = ["kind = 'prediction'"], []
    for condition in conditions:
        clause, needed = _clause(condition, keys)
        clauses.append(clause)
        values += needed
    return " and ".join(clauses), values


def _clause(condition: Condition, keys: list[bytes]) -> tuple[str, list[Any]]:
    """A condition as SQL, and its parameters."""
    if condition.field in RECORD_FIELDS:
        return f"{condition.field} = ?", [condition.value]
    path = pointer(condition.field)
    logged = "json_extract_string(features, ?)"  # a number's own digits, which no double can hold
    hashes = [hashed(text, key) for text in _spellings(condition) for key in keys]
    found, values = f"list_contains(?, {logged})", [hashes, path]
    if condition.numeric:
        as_kept = f"try_cast(try_cast({logged} as double) as float) = cast(? as float)"
        return f"({found} or {as_kept})", [*values, path, float(np.float32(condition.value))]
    return f"({found} or {logged} = ?)", [*values, path, condition.value]


def _spellings(condition: Condition) -> set[str]:
    """The value as it may have been hashed: as text; a number also as it was written, with 64 bits, and rounded to 32."""
    if not condition.numeric:
        return {condition.value}
    number, kept = float(condition.value), float(np.float32(condition.value))
    whole = {str(int(each)) for each in (number, kept) if math.isfinite(each) and each.is_integer()}
    return {condition.value, str(number), str(kept), str(np.float32(condition.value)), *whole}


def erase(use_case: str, conditions: list[Condition], reason: str) -> Erasure:
    """Take every matching prediction, its labels, its shadows' answers and its copies out of parts and collected windows.

    Call it within `log_files.maintaining`, after `rotate` and `compact`. What arrives meanwhile is not erased.

    Raises:
        CheckFailed: afterwards the log still holds a match (a damaged segment, or new requests of the subject).
    """
    folder, ids = prediction_log(use_case), set(matching(use_case, conditions))
    counts = {"prediction": 0, "feedback": 0, "shadow": 0, "review": 0}
    for part in parts(folder) if ids else []:
        for kind, count in _rewrite(use_case, part, ids, *_meets(use_case, conditions)).items():
            counts[kind] += count
    windows = _drop_windows(use_case, ids) if ids else 0
    done = Erasure(
        predictions=counts["prediction"],
        labels=counts["feedback"],
        windows=windows,
        shadows=counts["shadow"],
        reviews=forget_events(use_case, lambda event: event.about in ids) if ids else 0,
    )
    key = hash_keys(use_case)[0]
    where = {each.field: hashed(each.value, key) for each in conditions}  # the audit must not keep what was erased
    record(use_case, "log-erasure", reason, where=where, **done.model_dump())
    left = matching(use_case, conditions)
    if left:
        raise CheckFailed(f"{len(left)} matches are in segments still; see 'slipway log verify', and run this again")
    return done


def _rewrite(use_case: str, part: Path, ids: set[str], meets: str, values: list[Any]) -> dict[str, int]:
    """The part without these predictions, their labels and their shadows' answers; how many of each it held.

    A prediction of somebody else stays, even one that a client gave the same id.
    """
    connection, memory = connect()
    with connection:
        memory.pipe("/part", read_part(part))
        connection.execute("create table ids as select unnest(?::varchar[]) as id", [sorted(ids)])
        belongs = "kind in ('feedback', 'shadow', 'review') and prediction_id in (select id from ids)"
        theirs = f"coalesce(({meets}) or {belongs}, false)"
        part_rows = "read_parquet('memory:///part', hive_partitioning = false)"
        connection.execute(f"create table records as select *, {theirs} as theirs from {part_rows}", values)
        counts = "select kind, count(*) from records where theirs group by kind"
        counted: dict[str, Any] = dict(connection.sql(counts).fetchall())
        if counted:
            ((left,),) = connection.sql("select count(*) from records where not theirs").fetchall()
            kept = "select * exclude theirs from records where not theirs order by bucket, time"
            connection.execute(f"copy ({kept}) to 'memory:///kept' {PARQUET}")
            kept_bytes = as_it_lies(part, memory.cat("/kept")) if left else None
            theirs = "select distinct prediction_id from records where theirs and kind = 'prediction'"
            _note_erased(use_case, part, kept_bytes, left, [each for (each,) in connection.sql(theirs).fetchall()])
            with swapping(prediction_log(use_case)):
                if kept_bytes is not None:
                    put_part(part, kept_bytes)
                else:
                    remove_part(part)
    return counted


def _note_erased(use_case: str, part: Path, content: bytes | None, records: int, gone: list[str]) -> None:
    """What the part is about to become: noted first, so that no part is ever unlike the ledger but for a killed erasure."""
    after = None
    if content is not None:
        after = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "records": records}
    key = hash_keys(use_case)[0]
    hashes = sorted(hashed(each, key) for each in gone)  # whose: so that who asks for one is told that it was erased
    note(use_case, "erased", part=described(part, prediction_log(use_case)), after=after, predictions=hashes)


def _drop_windows(use_case: str, ids: set[str]) -> int:
    """Collected windows are copies that monitoring makes again when it needs them."""
    import pyarrow.parquet as pq

    dropped = 0
    for window in windows_of(use_case):
        held = pq.read_table(window, columns=["prediction_id"])["prediction_id"].to_pylist()
        if not ids.isdisjoint(held):
            window.unlink()
            dropped += 1
    return dropped
