"""How the smaller things of a use case are written: lengths of time, moments, sizes, schedules; and what is strict."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def parse_duration(text: Any) -> Any:
    """`"7 days"`, `"90 minutes"`, `"1 week"` as a timedelta.

    >>> parse_duration("36 hours")
    datetime.timedelta(days=1, seconds=43200)
    """
    if not isinstance(text, str) or text.startswith("P"):  # ISO 8601, as a recorded use case spells it
        return text
    match = re.fullmatch(r"(\d+)\s+(second|minute|hour|day|week)s?", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a length of time; write for example '7 days', '12 hours' or '30 minutes'")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def in_words(length: timedelta) -> str:
    """A length of time as people say it.

    >>> in_words(timedelta(hours=30)), in_words(timedelta(seconds=90)), in_words(timedelta(days=3))
    ('30 hours', '90 seconds', '3 days')
    """
    seconds = max(round(length.total_seconds()), 0)
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size or seconds == size:
            count = seconds / size
            told = f"{count:.0f}" if count == round(count) or count >= 10 else f"{count:.1f}"
            return f"{told} {name}{'s' * (told != '1')}"
    return f"{seconds} second{'s' * (seconds != 1)}"


def length_of(text: str) -> timedelta:
    """A length of time above zero that stays text in the use case, as `monitoring.window` does.

    >>> length_of("90 days").days
    90
    """
    length = parse_duration(text)
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise ValueError(f"{text!r} is not a length of time above zero; write for example '7 days' or '12 hours'")
    return length


def parse_bytes(text: Any) -> Any:
    """`"512 MiB"` or `"2 GiB"` as a number of bytes.

    >>> parse_bytes("1 MiB")
    1048576
    """
    if isinstance(text, int):  # as a recorded use case spells it
        return text
    match = re.fullmatch(r"(\d+)\s*([KMG]iB)", str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not a size; write for example '512 MiB' or '2 GiB'")
    return int(match[1]) * 1024 ** ("KMG".index(match[2][0]) + 1)


def parse_time(value: Any) -> Any:
    """A date or ISO 8601 time as a datetime in UTC; one without an offset is taken as UTC.

    >>> parse_time("2013-03-01T02:00+02:00")
    datetime.datetime(2013, 3, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the year 1 at +02:00 is before the calendar begins
        raise ValueError(f"{value!r} is not a time; write for example '2013-03-01' or '2013-03-01T12:00'") from None


def check_cron(text: str) -> str:
    """A cron expression of five fields.

    >>> check_cron("15 3 * * *")
    '15 3 * * *'
    """
    try:
        if len(text.split()) != 5:
            raise CronSimError
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise ValueError(f"{text!r} is not a cron expression that ever comes; write for example '15 3 * * *'") from None
    return text


def check_time_zone(name: str) -> str:
    """The name of a time zone of the IANA database.

    >>> check_time_zone("Europe/Berlin")
    'Europe/Berlin'
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write for example 'UTC' or 'Europe/Berlin'") from None
    return name


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_bytes)]
Moment = Annotated[datetime, BeforeValidator(parse_time)]
Cron = Annotated[str, AfterValidator(check_cron)]
TimeZone = Annotated[str, AfterValidator(check_time_zone)]

USE_CASE_NAME = r"^[a-z][a-z0-9_-]{0,39}$"


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt key must never be a setting that silently does nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
