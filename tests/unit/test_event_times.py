"""When a record counts: a client may say any time, and opens no window by it."""

from datetime import UTC, datetime, timedelta

import pytest

from configs.load import load_use_case
from configs.settings import prediction_log
from serving.log.writer import Prediction, PredictionLog, Refused
from tasks import clock
from tasks.log.event_times import WINDOWS_BACK
from tasks.log.values import Bounds
from tasks.log.windows import closed_windows, read_window
from tests.conftest import small_use_case

NOW = datetime(2026, 3, 18, 10, tzinfo=UTC)


class Stopped(datetime):
    """A clock that stands, so that no midnight comes between what a test writes and what it reads."""

    @classmethod
    def now(cls, tz=None):
        return NOW


def text(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


def prediction(name, arrived, happened, place=0):
    record = {"a": 1.0, "b": 1.0, "c": "red"}
    times = text(arrived), text(happened)
    return Prediction(name, *times, "1", "r", "champion", "", record, "yes", [0.4, 0.6], 10, "d", place)


@pytest.fixture
def daily(home, tmp_path, monkeypatch):
    """A live use case with windows of a day, and three days of a request an hour that ended this hour."""
    monkeypatch.setattr("tasks.log.windows.datetime", Stopped)
    frame_case = small_use_case(tmp_path)
    monitoring = frame_case.monitoring.model_copy(update={"window": "1 day"})
    case = frame_case.model_copy(update={"monitoring": monitoring})
    log = PredictionLog(prediction_log("small"))
    arrivals = [NOW - timedelta(hours=hours) for hours in range(72, 0, -1)]
    log.append([prediction(f"p{n}", moment, moment) for n, moment in enumerate(arrivals)])
    return case, log


YEARS = [datetime(1, 1, 2, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]


def test_an_impossible_event_time_opens_no_window_and_counts_when_it_arrived(daily):
    case, log = daily
    before = closed_windows(case)
    assert len(before) == 3
    arrived = NOW - timedelta(days=1)
    log.append([prediction(f"odd{n}", arrived, moment) for n, moment in enumerate(YEARS)])
    log.append([Refused(text(arrived), text(YEARS[1]), 422, "a", "", 7)])
    assert closed_windows(case) == before
    rows = {bounds.name: read_window(case, bounds) for bounds in before}
    here = [read for bounds, read in zip(before, rows.values(), strict=True) if bounds.start[:10] == f"{arrived:%Y-%m-%d}"]
    (read,) = here
    assert (read.strays, sum(other.strays for other in rows.values())) == (3, 3)
    assert {"odd0", "odd1", "odd2"} <= set(read.table["prediction_id"].to_pylist())
    assert [one.requests for one in read.refused] == [7]


def test_what_is_late_or_to_come_within_reason_counts_when_it_happens(daily):
    case, log = daily
    late, far = NOW - timedelta(days=WINDOWS_BACK - 1), NOW - timedelta(days=WINDOWS_BACK + 1)
    log.append([prediction("late", NOW, late), prediction("far", NOW, far)])
    log.append([prediction("next", NOW, NOW + timedelta(days=300))])
    windows = closed_windows(case)
    assert windows[0].start[:10] == f"{late:%Y-%m-%d}"
    assert read_window(case, windows[0]).table["prediction_id"].to_pylist() == ["late"]
    quiet = read_window(case, windows[2])  # between the late one and the first of the three days
    assert (quiet.asked, quiet.requests, quiet.table.num_rows) == (0, 0, 0)


def test_in_a_replay_the_arrival_is_where_its_clock_stood(home):
    """2013 is the present of this use case; a record that says 1970 counts in the month that is replayed."""
    case = load_use_case("flights")
    log, moments = PredictionLog(prediction_log("flights")), {}
    for month in (3, 4, 5):
        arrived = datetime.now(UTC)
        moments[month] = datetime(2013, month, 9, tzinfo=UTC)
        log.append([prediction(f"m{month}", arrived, moments[month])])
        log.append([prediction(f"odd{month}", arrived, YEARS[1]), prediction(f"live{month}", arrived, arrived)])
        clock.set_clock(case, datetime(2013, month + 1, 1, tzinfo=UTC))
    windows = closed_windows(case)
    assert [bounds.name for bounds in windows] == ["2013-03", "2013-04", "2013-05"]
    for month, bounds in zip((3, 4, 5), windows, strict=True):
        read = read_window(case, bounds)
        assert sorted(read.table["prediction_id"].to_pylist()) == [f"m{month}", f"odd{month}"]
        assert read.strays == 1


def test_rows_of_a_batch_are_one_request_also_in_a_log_that_knew_no_place(daily):
    case, log = daily
    at = NOW - timedelta(days=1)
    (bounds,) = [b for b in closed_windows(case) if b.start[:10] == f"{at:%Y-%m-%d}"]
    before = read_window(case, bounds)
    log.append([prediction(f"batch{n}", at, at, place=n) for n in range(1000)])
    after = read_window(case, bounds)
    assert (after.asked - before.asked, after.requests - before.requests) == (1000, 1)
    rows = read_window(case, Bounds(name="w", start="0", end="1072"))
    assert (rows.asked, rows.requests) == (1072, 73)
