"""The kind of every column: each rule looks, and the first that knows says so."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from tasks.data.sql import quoted
from tasks.onboarding.features.choose import FEATURES
from tasks.onboarding.prose import NAMED, is_prose
from tasks.onboarding.table import MOSTLY, NUMERIC, TEXT, TIME, WHOLE, Table, is_csv
from tasks.onboarding.times import ISO, readable_share
from tasks.onboarding.values import Column, Kind
from tasks.privacy.words import sensitive, words

ID_WORDS = frozenset(["id", "ids", "key", "uuid", "guid", "index", "instant", "serial", "rowid", "nr", "no"])
UNIQUE = 0.95  # of the filled rows; approximate counts are within some percent
FEW_TOKENS = 20  # that may stand for nothing among the numbers of a CSV
MANY_VALUES = 0.5  # of the rows: such a text is a name, not a category
EXACT = 2**53  # beyond it not every whole number is one of floating point
FEW_DAYS = 10  # a date of fewer different values is a code
PARTS = frozenset(["train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "holdout"])
NUMBER, MOMENT = FEATURES["numeric"].read_as, FEATURES["datetime"].read_as

Found = tuple[Kind, str]


def describe(table: Table, names: list[str], say: Callable[[str], None]) -> list[Column]:
    """Each of these columns with its kind; copies of an earlier one and what looks sensitive are left out."""
    columns: list[Column] = []
    for at, name in enumerate(names):
        say(f"kinds of columns: {at + 1} of {len(names)}, {name}")
        columns.append(_describe(table, name))
    return [_copy_of(table, column, columns[:at]) for at, column in enumerate(columns)]


def _describe(table: Table, name: str) -> Column:
    counted, private = table.counted[name], sensitive(name)
    kind, why = next(found for rule in RULES if (found := rule(table, name)))
    its = FEATURES.get(kind)
    read_as = its.read_as if its and table.is_(name, TEXT) else ""
    strange = _strange(table, name, read_as) if read_as else 0
    return Column(
        name=name,
        kind=kind,
        why=why,
        missing=table.size - counted.filled + strange,
        distinct=counted.distinct,
        strange=strange,
        tokens=_tokens(table, name, read_as) if strange and is_csv(table.url) else [],
        sensitive=private,
        personal=(told := its.personal(table.sample[name]) if its else ""),
        example="" if private or told or kind == "nested" else _example(table, name),
        why_out=_why_out(kind, why) or (f"looks sensitive: {private}" if private else ""),
    )


def _constant(table: Table, name: str) -> Found | None:
    counted = table.counted[name]
    if counted.filled == 0:
        return "constant", "empty in every row"
    if counted.distinct == 1 and counted.filled == table.size:
        return "constant", "one value in every row"
    return None


def _nested(table: Table, name: str) -> Found | None:
    if any(table.is_(name, types) for types in (NUMERIC, TEXT, TIME)) or table.types[name] == "BOOLEAN":
        return None
    kind = table.types[name]
    told = "a struct" if kind.startswith("STRUCT") else "a list" if kind.endswith("]") else f"of type {kind.split('(')[0]}"
    return "nested", told


def _time(table: Table, name: str) -> Found | None:
    if table.is_(name, TIME):
        return "datetime", table.types[name].lower()
    if not table.is_(name, TEXT) or table.counted[name].distinct < FEW_DAYS:
        return None
    texts = table.sample[name].dropna().astype(str)
    if texts.str.match(ISO).mean() >= MOSTLY and not (is_csv(table.url) and _is_odd(table, name, MOMENT)):
        return "datetime", "text that reads as a time"
    return ("time", "text that reads as a time, and not as ISO 8601 alone") if readable_share(texts) >= MOSTLY else None


def _identifier(table: Table, name: str) -> Found | None:
    """Whole numbers and texts only: measurements are nearly unique too."""
    counted, called = table.counted[name], bool(ID_WORDS & set(words(name)))
    if not (table.is_(name, WHOLE) or table.is_(name, TEXT)):
        return None
    unique = counted.distinct >= UNIQUE * counted.filled
    if unique and counted.filled > 20:
        if called:
            return "identifier", "called an id, and different in nearly every row"
        if table.is_(name, WHOLE) and _is_count(table, name):
            return "identifier", "numbers the rows"
        if table.is_(name, TEXT) and _numbers(table, name) < MOSTLY:
            return "identifier", "different in nearly every row"
    if called and counted.distinct > max(100, 0.05 * counted.filled):
        return "identifier", f"called an id, with {counted.distinct:,} values"
    if table.is_(name, WHOLE) and int(table.number(f"max({quoted(name)})")) > EXACT:
        return "identifier", "whole numbers with more digits than an amount has"
    return None


def _is_count(table: Table, name: str) -> bool:
    """Whether whole numbers fill their range without many gaps, as numbers of rows do."""
    low, high = (int(table.number(f"{which}({quoted(name)})")) for which in ("min", "max"))
    return high - low + 1 <= 1.1 * table.counted[name].filled


def _prose(table: Table, name: str) -> Found | None:
    if not table.is_(name, TEXT) or table.counted[name].distinct < 20:
        return None
    if not NAMED & set(words(name)) and is_prose(table.sample[name].dropna().astype(str)):
        return (
            "text",
            f"what people write: {table.counted[name].distinct:,} texts of several words, most of which come again",
        )
    return None


def _name(table: Table, name: str) -> Found | None:
    if not table.is_(name, TEXT) or table.counted[name].distinct < 20:
        return None
    if table.counted[name].distinct > MANY_VALUES * table.counted[name].filled and _numbers(table, name) < MOSTLY:
        return "name", "text that seldom comes again"
    return None


def _part(table: Table, name: str) -> Found | None:
    """As published tables have it; nobody who asks could say it."""
    if not table.is_(name, TEXT) or table.counted[name].distinct > len(PARTS):
        return None
    found = set(table.sample[name].dropna().astype(str).str.lower())
    return ("part", f"parts of a study ({', '.join(sorted(found))})") if found and found <= PARTS else None


def _number(table: Table, name: str) -> Found | None:
    if name in table.codes:
        return "categorical", "numbers of which some begin with a zero, or are written as 1e2: codes"
    if table.is_(name, NUMERIC):
        return "numeric", "numbers"
    if table.is_(name, TEXT) and table.sample[name].astype(str).str.match("0[0-9]").any():
        return "categorical", "texts, of which some begin with a zero: codes"
    if not table.is_(name, TEXT) or _numbers(table, name) < MOSTLY or (is_csv(table.url) and _is_odd(table, name, NUMBER)):
        return None
    return "numeric", "numbers, as text"


def _is_odd(table: Table, name: str, read_as: str) -> bool:
    """Whether the texts of a CSV that do not read as the others are too many, or too like them, to stand for nothing."""
    tokens = _tokens(table, name, read_as)
    return len(tokens) > FEW_TOKENS or any(re.search("[0-9]", token) for token in tokens)


def _tokens(table: Table, name: str, read_as: str) -> list[str]:
    """The different texts of a column that do not read as this SQL type, one more than are few at most."""
    column = quoted(name)
    strange = table.rows.filter(f"{column} is not null and try_cast({column} as {read_as}) is null")
    return sorted(str(row[0]) for row in strange.project(column).distinct().limit(FEW_TOKENS + 1).fetchall())


def _category(table: Table, name: str) -> Found:
    if table.types[name] == "BOOLEAN":
        return "boolean", "true or false"
    return "categorical", f"{table.counted[name].distinct:,} texts"


RULES: tuple[Callable[[Table, str], Found | None], ...] = (
    *(_nested, _constant, _part, _time, _prose, _identifier, _name, _number, _category),
)


def _why_out(kind: Kind, why: str) -> str:
    return {
        "constant": f"{why}: it tells nothing",
        "nested": f"{why}: make columns of its parts in 'source.query'",
        "time": f"{why}: read it in 'source.query', as strptime(...) does, and list it under 'datetime'",
        "identifier": f"{why}: it says which row, not what kind of row",
        "name": f"{why}, and is no prose: a name or a code; make a category of a part of it in 'source.query'",
        "part": f"{why}: for what a row was meant, not what it is",
    }.get(kind, "")


def _numbers(table: Table, name: str) -> float:
    """The share of the texts of the sample that are numbers."""
    import pandas as pd

    texts = table.sample[name].dropna()
    return float(pd.to_numeric(texts, errors="coerce").notna().mean()) if len(texts) else 0.0


def _strange(table: Table, name: str, read_as: str) -> int:
    """How many texts of a column do not read as this SQL type, over all rows."""
    column = quoted(name)
    return int(table.number(f"count(*) filter (where {column} is not null and try_cast({column} as {read_as}) is null)"))


def _example(table: Table, name: str) -> str:
    values = table.sample[name].dropna()
    text = " ".join(str(values.iloc[0]).split()) if len(values) else ""
    return text if len(text) <= 24 else text[:21] + "..."


def _copy_of(table: Table, column: Column, before: list[Column]) -> Column:
    """The column, left out where an earlier one has the same value in every row."""
    if not column.is_feature:
        return column
    for other in before:
        same = other.is_feature and other.distinct == column.distinct and other.missing == column.missing
        if same and _equal(table, column.name, other.name):
            return column.model_copy(update={"why_out": f"the same as {other.name!r} in every row"})
    return column


def _equal(table: Table, one: str, other: str) -> bool:
    left, right = table.sample[one], table.sample[other]
    if left.dtype != right.dtype or not np.array_equal(left.isna(), right.isna()):
        return False
    if not left.dropna().reset_index(drop=True).equals(right.dropna().reset_index(drop=True)):
        return False
    return int(table.number(f"count(*) filter (where {quoted(one)} is distinct from {quoted(other)})")) == 0
