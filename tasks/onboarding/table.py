"""A table that nobody has described yet: its rows, what is counted of each column, and a sample that keeps their order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.schema import CsvFormat, Source
from serving.contract.spelling import csv_text
from tasks.data.csv_file import Declared
from tasks.data.files import CSV, kind_of
from tasks.data.source import open_source
from tasks.data.sql import quoted

SAMPLE = 20_000
FEWEST_ROWS = 50
FEW = 50  # values of a column of fractions that may be codes
SECOND_ENCODING = "windows-1252"
DECIMAL_COMMA = r"-?\d+,\d+"
MOSTLY = 0.9
NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*)$")
WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$")
TEXT = re.compile(r"VARCHAR$|ENUM|UUID$")
TIME = re.compile(r"DATE$|TIMESTAMP")


@dataclass(frozen=True)
class Counted:
    """What was counted of a column over all rows."""

    filled: int
    distinct: int


@dataclass(frozen=True)
class Table:
    """Rows as a DuckDB relation, what SQL calls it, and its source."""

    rows: Any
    source: Source
    counted: dict[str, Counted]
    codes: frozenset[str]  # what reads as a number in a CSV and is none

    @property
    def name(self) -> str:
        """What the source calls the table."""
        return next(iter(self.source.tables))

    @property
    def url(self) -> str:
        """Where it is."""
        return self.source.tables[self.name]

    @cached_property
    def size(self) -> int:
        """How many rows there are."""
        return int(self.rows.count("*").fetchall()[0][0])

    @cached_property
    def types(self) -> dict[str, str]:
        """The SQL type of each column."""
        return dict(zip(self.rows.columns, map(str, self.rows.types), strict=True))

    @cached_property
    def sample(self) -> Any:
        """At most `SAMPLE` rows as a pandas frame, evenly spaced, in their order."""
        arrow = self.rows.to_arrow_table()
        return arrow.take(np.unique(np.linspace(0, arrow.num_rows - 1, SAMPLE).astype(int))).to_pandas()

    def number(self, expression: str) -> Any:
        """One aggregate over all rows."""
        return self.rows.aggregate(f"{expression} as found").fetchall()[0][0]

    def is_(self, name: str, types: re.Pattern[str]) -> bool:
        """Whether a column has one of these SQL types."""
        return bool(types.match(self.types[name]))


def look_at(url: str, say: Callable[[str], None], declared: Source | None = None) -> Table:
    """The table of a file or URL, however it is written, or as it is `declared`.

    Raises:
        InputError: it cannot be read, or is too small to learn from.
    """
    say(f"reading {url}")
    source, rows = _opened(url, declared or Source(tables={table_name(url): url}))
    if len(rows.columns) < 2:
        raise InputError(
            f"{url}: has one column, {rows.columns[0]!r}; a model needs a target and at least one column to tell it from"
        )
    count = int(rows.count("*").fetchall()[0][0])
    if count < FEWEST_ROWS:
        raise InputError(
            f"{url}: has {count} rows; at least {FEWEST_ROWS} are needed to learn from some and judge by others"
        )
    say(f"counting {len(rows.columns)} columns of {count:,} rows")
    counted = _count(rows, count)
    say("looking for codes among the numbers")
    return Table(rows, source, counted, _codes(source, rows, counted))


def _opened(url: str, source: Source) -> tuple[Source, Any]:
    """The rows, and the source that reads them: as Windows-1252 where UTF-8 does not, with decimal commas where they are.

    What is declared of a CSV is not guessed.
    """
    try:
        rows = open_source("new", source)
    except InputError as first:
        if "csv" in source.model_fields_set:
            raise
        source = source.model_copy(update={"csv": CsvFormat(encoding=SECOND_ENCODING)})
        try:
            rows = open_source("new", source)
        except InputError:
            raise first from None
    if not is_csv(url) or source.csv.decimal == ",":
        return source, rows
    texts = [name for name, kind in zip(rows.columns, map(str, rows.types), strict=True) if kind == "VARCHAR"]
    head = rows.limit(SAMPLE).to_arrow_table().to_pandas()
    if any(head[name].dropna().astype(str).str.fullmatch(DECIMAL_COMMA).mean() >= MOSTLY for name in texts):
        source = source.model_copy(update={"csv": source.csv.model_copy(update={"decimal": ","})})
        rows = open_source("new", source)
    return source, rows


def is_csv(url: str) -> bool:
    """Whether a file is a CSV by its name, compressed or not, so that its columns have no types of their own."""
    return kind_of(url) in CSV


def table_name(url: str) -> str:
    """What a query calls the table of a file.

    >>> table_name("s3://bucket/My Sales.2024.csv.gz"), table_name("2024.csv")
    ('my_sales', 'rows')
    """
    stem = re.split(r"[/\\]", url.split("?")[0])[-1].split(".")[0]
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return name if re.match(r"[a-z]", name) else "rows"


def _count(rows: Any, size: int) -> dict[str, Counted]:
    """How many values each column has; how many different ones exactly where that is quick, else within some percent."""
    distinct = "count(distinct {})" if size <= 100_000 else "approx_count_distinct({})"
    asked = ", ".join(f"count({quoted(name)}), {distinct.format(quoted(name))}" for name in rows.columns)
    found = rows.aggregate(asked).fetchall()[0]
    return {name: Counted(*found[2 * at : 2 * at + 2]) for at, name in enumerate(rows.columns)}


def _codes(source: Source, rows: Any, counted: dict[str, Counted]) -> frozenset[str]:
    """The columns that read as fractions and are codes: in the CSV some are written `1e2`.

    Whole numbers need no second look: what begins with a zero is read as text already.
    """
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    fractions = [name for name, kind in types.items() if NUMERIC.match(kind) and not WHOLE.match(kind)]
    names = [name for name in fractions if 2 < counted[name].distinct <= FEW]
    if not names or not is_csv(source.tables[next(iter(source.tables))]):
        return frozenset()
    texts = open_source("new", source, Declared(texts=dict.fromkeys(names, csv_text)))
    asked = ", ".join(
        f"bool_or(regexp_matches({quoted(name)}, '^0[0-9]|[0-9]e[0-9]')) as c{at}" for at, name in enumerate(names)
    )
    found = texts.aggregate(asked).fetchall()[0]
    return frozenset(name for name, coded in zip(names, found, strict=True) if coded)
