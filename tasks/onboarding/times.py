"""When a row happens: which column says so, and what holdout and window fit the length of time that the rows span."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from configs.errors import InputError, nearest
from tasks.data.sql import quoted
from tasks.onboarding.table import TIME, Table
from tasks.onboarding.values import Column, Times
from tasks.privacy.words import words

ISO = r"^\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}(:\d{2}){1,2}(\.\d+)?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?$"
DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d")
FORMATS = tuple(day + hour for day in DAYS for hour in ("", " %H:%M", " %H:%M:%S"))
NAMES = frozenset(
    ("time", "timestamp", "datetime", "date", "day", "at", "when", "created", "occurred", "event", "scheduled", "dteday")
)
LATER = frozenset(
    ("end", "ended", "close", "closed", "expires", "expiry", "due", "until", "paid", "updated", "modified", "deleted")
)
LATE = 0.5  # of the rows: a moment that lies after so many is known only later, as a rule
LOST = 0.01  # so many rows may have no time that can be read
LENGTHS = {
    **{f"{n} hour{'s' * (n > 1)}": timedelta(hours=n) for n in (1, 2, 3, 6, 12)},
    **{f"{n} day{'s' * (n > 1)}": timedelta(days=n) for n in (1, 2, 3, 5, 7, 14, 21, 30, 60, 90, 120, 180, 365, 730, 1825)},
}
WINDOWS = {name: LENGTHS[name] for name in ("1 hour", "6 hours", "1 day", "7 days")} | {
    "1 month": timedelta(days=30),
    "90 days": timedelta(days=90),
    "365 days": timedelta(days=365),
}
WINDOW_ROWS, WINDOWS_IN_SPAN = 500, 4
HOLDOUT = 0.2


def readable_share(texts: Any) -> float:
    """The share of texts that read as a time of one format, shape (rows,) of a pandas series.

    >>> import pandas as pd
    >>> readable_share(pd.Series(["2026-01-31 12:00", None])), readable_share(pd.Series(["31.01.2026", "no"]))
    (1.0, 0.5)
    """
    filled = texts.dropna().astype(str)
    return max((share for _, share in _formats(filled)), default=0.0) if len(filled) else 0.0


def _formats(filled: Any) -> list[tuple[str, float]]:
    """Each format that reads most of the texts, and how many; "" is ISO 8601."""
    import pandas as pd

    iso = float(filled.str.match(ISO).mean())
    if iso > LOST:
        return [("", iso)]
    if not filled.head(100).str.match(r"^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}").any():
        return []
    shares = [(each, float(pd.to_datetime(filled, format=each, errors="coerce").notna().mean())) for each in FORMATS]
    return [(each, share) for each, share in shares if share > LOST]


def choose_time(table: Table, columns: list[Column], now: datetime | None = None) -> Times | None:
    """The column that says when a row happens: the one that is called so, of these the earliest, of these the finest.

    None where there is none. A time of birth says nothing of the row, and one that many rows lack came later than it.
    """
    found = [
        (-_named(column.name), times.told[:10], -column.distinct, times)
        for column in columns
        if column.kind in ("datetime", "time") and not column.sensitive
        if (times := _times(table, column.name, now or datetime.now(UTC)))
    ]
    return min(found, key=lambda each: each[:3])[3] if found else None


def declared_time(table: Table, name: str | None) -> Times | None:
    """How the column reads that is declared to be the time; None where none is.

    Raises:
        InputError: it is not there, or does not read as one.
    """
    if name is None:
        return None
    if name not in table.rows.columns:
        raise InputError(f"source.time_column: the table has no column {name!r}; {nearest(name, table.rows.columns)}")
    if found := _times(table, name, datetime.now(UTC)):
        return found
    raise InputError(
        f"source.time_column: {name!r} does not read as times of one format, or is the same in every row; name another "
        "column, or null for none"
    )


def _named(name: str) -> int:
    parts = words(name)
    return any(part in NAMES for part in parts) - 2 * bool(LATER & set(parts))


def _times(table: Table, name: str, now: datetime) -> Times | None:
    """How the column reads, or None where too many rows have no time or its format cannot be told."""
    kept = ""
    if not table.is_(name, TIME):
        formats = sorted(_formats(table.sample[name].dropna().astype(str)), key=lambda each: -each[1])
        if not formats or (len(formats) > 1 and formats[0][1] == formats[1][1]):
            return None  # 03/04/2026 is two days, and to guess which would be to mix them up
        kept = formats[0][0]
    moment = sql_of(name, kept)
    unreadable, future, first, last = table.rows.aggregate(
        f"count(*) filter (where {moment} is null), count(*) filter (where {moment} > timestamp "
        f"'{now.astimezone(UTC).replace(tzinfo=None).isoformat()}'), min({moment}), max({moment})"
    ).fetchall()[0]
    if unreadable > LOST * table.size or first == last:
        return None
    return Times(column=name, format=kept, unreadable=unreadable, future=future, told=f"{first} to {last}")


def left_later(table: Table, columns: list[Column], times: Times | None) -> list[Column]:
    """The columns; left out are moments that mostly lie after their row's own time, as what is known only then does."""
    return [_not_later(table, column, times) for column in columns] if times else columns


def _not_later(table: Table, column: Column, times: Times) -> Column:
    if column.kind != "datetime" or column.name == times.column or not column.is_feature:
        return column
    own, row = sql_of(column.name, ""), sql_of(times.column, times.format)
    later = table.number(f"count(*) filter (where {own} > {row}) / greatest(count({own}), 1)")
    if later <= LATE:
        return column
    told = f"later than {times.column!r} in {later:.0%} of its rows: a leak, unless it is known when the question is asked"
    return column.model_copy(update={"why_out": told})


def sql_of(name: str, format: str) -> str:
    """The column as a timestamp in UTC; null where it has none."""
    if format:
        return f"try_strptime({quoted(name)}, '{format}')"
    return f"cast(try_cast({quoted(name)} as timestamptz) as timestamp)"


def moments(table: Table, times: Times) -> np.ndarray:
    """The times of all rows that have one and are not in the future, ascending, shape (rows,)."""
    moment = sql_of(times.column, times.format)
    rows = table.rows.project(f"{moment} as moment").filter("moment < now()::timestamp").order("moment")
    return np.asarray(rows.fetchnumpy()["moment"]).astype("datetime64[us]")


def holdout_of(moments: np.ndarray) -> str:
    """The length of time that is nearest to a fifth of the rows, ascending; five days or more where there are so many.

    >>> days = np.arange("2026-01-01", "2026-04-11", dtype="datetime64[D]").astype("datetime64[us]")
    >>> holdout_of(days)
    '21 days'
    """
    wanted = moments[-1] - moments[round(len(moments) * (1 - HOLDOUT))]
    span = _length(moments[-1] - moments[0])
    fitting = {name: length for name, length in LENGTHS.items() if length <= span / 2}
    if span >= timedelta(days=15):
        fitting = {name: length for name, length in fitting.items() if length >= timedelta(days=5)}
    if not fitting:
        return str(HOLDOUT)
    goal = max(_length(wanted).total_seconds(), 1.0)
    return min(fitting, key=lambda name: abs(np.log(fitting[name].total_seconds() / goal)))


def window_of(moments: np.ndarray) -> str:
    """The shortest usual window that has some hundred rows, of which some fit the span.

    >>> hours = np.arange("2026-01-01", "2026-12-31", dtype="datetime64[h]").astype("datetime64[us]")
    >>> window_of(hours)
    '1 month'
    """
    span = _length(moments[-1] - moments[0])
    fitting = [name for name, length in WINDOWS.items() if length <= span / WINDOWS_IN_SPAN] or ["1 hour"]
    if "7 days" in fitting:  # hours differ from each other as nights and days do
        fitting = fitting[2:]
    rich = [name for name in fitting if len(moments) * (WINDOWS[name] / span) >= WINDOW_ROWS]
    return (rich or fitting[-1:])[0]


def _length(difference: np.timedelta64) -> timedelta:
    return timedelta(microseconds=int(difference / np.timedelta64(1, "us")))


def window_in_rows(held_out: int) -> int:
    """About half of the holdout, in round numbers, from 50 to 1,000 rows.

    >>> window_in_rows(120), window_in_rows(450), window_in_rows(90_000)
    (60, 200, 1000)
    """
    wanted = min(max(held_out // 2, 50), 1000)
    step = 10 if wanted < 100 else 100
    return wanted // step * step
