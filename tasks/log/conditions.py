"""Conditions: what a record of the prediction log must have to be one person's, as SQL, and the predictions that have it.

An identifier is text, exact: a JSON integer is its decimal digits, text is itself, so `123` is not `00123`. A category is
text too. A number of a numeric feature is what the contract keeps of it, 32 bits, whether it came as JSON or as a tensor.
What the log hashes is found by its hash, under every key that one may have been made with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from configs.errors import InputError, nearest
from configs.schema import UseCase
from serving.contract.kinds.numeric import FLOAT32_MAX
from serving.log.writer import hashed
from tasks.log.keys import hash_keys
from tasks.log.read import open_log
from tasks.log.values import pointer

RECORD_FIELDS = ("caller", "prediction_id")


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
    fields = fields_of(use_case)
    named = [field for field in fields if text.startswith(f"{field}=")]  # a name may have the sign in it
    name, sign, value = (longest := max(named, key=len), "=", text[len(longest) + 1 :]) if named else text.partition("=")
    if not sign or not value:
        raise InputError(f"{text!r}: write FIELD=VALUE, for example {fields[0]}=42")
    if name not in fields:
        raise InputError(f"{text!r}: the log has no field {name!r}; {nearest(name, fields)}")
    numeric = name in use_case.features.numeric
    if numeric and not _is_number(value):
        raise InputError(f"{text!r}: {name!r} is numeric; write a number that fits in 32 bits, as {name}=4.5")
    return Condition(name, value, numeric)


def keyed(use_case: str, conditions: Sequence[Condition]) -> dict[str, str]:
    """The conditions for the history, which must not keep a person's value: a keyed hash of it by its field."""
    key = hash_keys(use_case)[0]
    return {each.field: hashed(each.value, key) for each in conditions}


def is_keyed(use_case: str, conditions: Sequence[Condition], where: Any) -> bool:
    """Whether `where`, of an entry of the history, is what `keyed` made of these conditions, under any key since."""
    hashes = [{each.field: hashed(each.value, key) for each in conditions} for key in hash_keys(use_case)]
    return where in hashes


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) <= FLOAT32_MAX  # false for NaN
    except ValueError:
        return False


def fields_of(use_case: UseCase) -> list[str]:
    """What a condition may be about: identifiers, features, and what the record says of the request."""
    return [*use_case.features.identifiers, *use_case.features.all, *RECORD_FIELDS]


def matching(use_case: str, conditions: Sequence[Condition]) -> list[str]:
    """The ids of the predictions that meet every condition; hashed values are found by their hash."""
    clause, values = meets(use_case, conditions)
    with open_log(use_case) as log:
        found = log.execute(f"select distinct prediction_id from log where {clause}", values).fetchall()
    return [prediction_id for (prediction_id,) in found]


def meets(use_case: str, conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
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
