"""A moment as it is written, in one spelling, and as numbers: how long ago, and where in the day, the week and the year.

Every moment is read in UTC; one that says no offset is taken to be in it already. Nothing is learned here; training and
serving run this code, and look the cyclic numbers up, so that no processor rounds them in its own way.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np

EXAMPLE = "2026-03-01T12:00:00Z"
WRITTEN = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[Tt ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(?: ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
_YEAR = r"(?!0000)[0-9]{4}"
_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
# What `spelled` writes, and nothing else: such a text needs no second look.
SPELLED = rf"(?:{_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.(?!000000)[0-9]{{6}})?Z\Z"

EPOCH = date(2000, 1, 1)  # days from it are whole numbers that float32 has exactly, from the year 1 to 9999
PARTS = (
    *("day", "hour", "weekday", "monthday", "yearday"),
    *("hour.sin", "hour.cos", "weekday.sin", "weekday.cos", "yearday.sin", "yearday.cos"),
)
WIDTH = len(PARTS)
LAST_HOUR = np.nextafter(np.float32(24), np.float32(0))  # in 32 bits the last microsecond of a day would be 24


def spelled(value: Any) -> str | None:
    """The one spelling of a moment: in UTC, with seconds, and microseconds where it has any. None where it is no moment.

    It is a text of ISO 8601, a date (which is its first moment) or a datetime, from the year 1 to 9999. Digits beyond
    microseconds are cut off.

    >>> spelled("2026-03-01 12:00"), spelled("2026-03-01T13:00:00.250+01:00"), spelled(date(2024, 2, 29))
    ('2026-03-01T12:00:00Z', '2026-03-01T12:00:00.250000Z', '2024-02-29T00:00:00Z')
    >>> spelled("2026-02-29"), spelled("1 March"), spelled(1772366400)
    (None, None, None)
    """
    if isinstance(value, str):
        moment = _read(value)
    elif isinstance(value, datetime):  # pandas' nanoseconds too
        moment = datetime(
            *(value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond),
            value.tzinfo,
            fold=value.fold,
        )
    else:
        moment = datetime(value.year, value.month, value.day) if isinstance(value, date) else None
    if moment is None:
        return None
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:  # before the year 1, or after 9999
            return None
    return f"{moment.isoformat()}Z"


def _read(text: str) -> datetime | None:
    found = WRITTEN.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    zone = None
    try:
        if offset:
            digits = offset[1:].replace(":", "")
            length = timedelta(hours=int(digits[:2] or 0), minutes=int(digits[2:] or 0))
            if int(digits[2:] or 0) > 59:
                return None
            zone = timezone(-length if offset[0] == "-" else length)
        micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
        clock = (int(hour or 0), int(minute or 0), int(second or 0), micro)
        return datetime(int(year), int(month), int(day), *clock, zone)
    except ValueError:  # the 30th of February, 24:00, an offset of a day
        return None


def _circle(places: int) -> np.ndarray:
    """Sine and cosine of so many places on a circle, shape (places, 2)."""
    turns = [2 * math.pi * place / places for place in range(places)]
    return np.array([(math.sin(turn), math.cos(turn)) for turn in turns], dtype=np.float32)


MINUTES, WEEKDAYS, YEARDAYS = _circle(24 * 60), _circle(7), {days: _circle(days) for days in (365, 366)}


def parts(texts: np.ndarray) -> np.ndarray:
    """Moments as `spelled` writes them, shape (rows, 1), as the graph takes them, shape (rows, WIDTH), float32.

    `day` counts days from 2000-01-01, `hour` is the hour of the day with its fraction, `weekday` is 0 on Mondays,
    `monthday` and `yearday` are 1 on the first. Of a missing one all are NaN.

    >>> dict(zip(PARTS, parts(np.array([["2000-01-03T06:30:00Z"]])).tolist()[0][:5]))
    {'day': 2.0, 'hour': 6.5, 'weekday': 0.0, 'monthday': 3.0, 'yearday': 3.0}
    """
    moments = np.array([text[:-1] or "NaT" for text in texts.ravel().tolist()], dtype="datetime64[us]")
    found = np.full((len(moments), WIDTH), np.nan, dtype=np.float32)
    some = ~np.isnat(moments)
    moments = moments[some]
    day, month, year = (moments.astype(f"datetime64[{unit}]") for unit in "DMY")
    clock = (moments - day).astype(np.int64)
    weekday = (day.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    yearday = (day - year.astype("datetime64[D]")).astype(np.int64)
    length = ((year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")).astype(np.int64)
    in_year = np.where((length == 366)[:, None], YEARDAYS[366][yearday], YEARDAYS[365][np.minimum(yearday, 364)])
    found[some] = np.column_stack(
        [
            (day - np.datetime64(EPOCH)).astype(np.int64),
            np.minimum(clock / 3_600_000_000, LAST_HOUR),
            weekday,
            (day - month.astype("datetime64[D]")).astype(np.int64) + 1,
            yearday + 1,
            *(MINUTES[clock // 60_000_000].T),
            *WEEKDAYS[weekday].T,
            *in_year.T,
        ]
    )
    return found


def at(days: float) -> str:
    """The moment so many days, with their fraction, from 2000-01-01; whole seconds.

    >>> at(2.25)
    '2000-01-03T06:00:00Z'
    """
    return f"{(datetime(EPOCH.year, EPOCH.month, EPOCH.day) + timedelta(seconds=int(days * 86_400))).isoformat()}Z"
