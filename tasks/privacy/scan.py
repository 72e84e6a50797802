"""Scan: which columns of a table hold something personal, by their values and by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from configs.schema import UseCase
from tasks.data.sql import quoted
from tasks.privacy.advice import right, stands
from tasks.privacy.named import named
from tasks.privacy.recognisers import RECOGNISERS, Recogniser, masked
from tasks.privacy.values import Found, Scan

MOST = 0.5  # by chance a tenth of long numbers passes a check digit, and far fewer than this
MAY = re.compile(r"[\d@]")  # without a digit or this mark no value is any of what is recognised
WORDS = 4  # on average, from which on a text is prose
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")


def scan(rows: Any, case: UseCase) -> Scan:
    """Every column of a DuckDB relation, all its rows: each value is looked at once, however often it is there.

    Dates, times and fractions are looked at by name alone. Names of persons within texts are not found: that takes a
    language model.
    """
    found, texts = list[Found](), list[str]()
    total = rows.aggregate("count(*)").fetchall()[0][0]
    for column, kind in zip(rows.columns, map(str, rows.types), strict=True):
        values = _values(rows, column, kind)
        all_rows, may = sum(rows for _, rows in values), [each for each in values if MAY.search(each[0])]
        seen = [
            _found(case, column, recogniser.what, "direct", held, all_rows, masked(example))
            for recogniser in RECOGNISERS
            for held, example in _held(recogniser, may, all_rows if recogniser.alone or kind != "VARCHAR" else 0)
        ]
        if not seen and (told := named(column)):
            seen = [_found(case, column, told[0], told[1])]
        found += seen
        if kind == "VARCHAR" and _is_prose(values):
            texts.append(column)
    return Scan(rows=total, columns=len(rows.columns), found=found, texts=texts)


def _values(rows: Any, column: str, kind: str) -> list[tuple[str, int]]:
    """Each value as text with its number of rows; of numbers the whole ones."""
    name = quoted(column)
    if kind == "VARCHAR" or kind in WHOLE:
        text, wanted = f"cast({name} as varchar)", f"{name} is not null"
    elif kind in ("DOUBLE", "FLOAT"):  # a gap made fractions of whole numbers
        text, wanted = f"cast(cast({name} as hugeint) as varchar)", f"abs({name}) < 1e16 and {name} = floor({name})"
    else:
        return []
    made = f"select {text} as value, count(*) as rows from scanned where {wanted} group by 1 order by 1"
    found: list[tuple[str, int]] = rows.query("scanned", made).fetchall()
    return found


def _held(recogniser: Recogniser, values: list[tuple[str, int]], among: int) -> Iterator[tuple[int, str]]:
    """How many rows hold what it knows, and the first that does; nothing where chance explains it.

    They are held against the rows `among` which they must be most, or, where that is 0, those that have the shape.
    """
    shaped = held = 0
    example = ""
    for text, rows in values:
        if recogniser.shape.search(text) is None:
            continue
        shaped += rows
        if found := recogniser.found(text):
            held, example = held + rows, example or found[0]
    if held and held >= MOST * (among or shaped):
        yield held, example


def _found(
    case: UseCase, column: str, what: str, grade: Any, rows: int | None = None, among: int = 0, example: str = ""
) -> Found:
    return Found(
        column=column,
        what=what,
        grade=grade,
        rows=rows,
        share=rows / among if rows is not None else None,
        example=example,
        stands=stands(case, column),
        right=right(case, column, grade),
    )


def _is_prose(values: Iterable[tuple[str, int]]) -> bool:
    counts = [(len(text.split()), rows) for text, rows in values]
    return sum(count * rows for count, rows in counts) >= WORDS * max(sum(rows for _, rows in counts), 1)
