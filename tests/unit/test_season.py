"""A seasonal reference: the same month of the year before says more than the whole year."""

import numpy as np
import pandas as pd
import pytest

from configs.schema import Monitoring
from tasks.columns.choose import NUMBERS
from tasks.monitoring.drift.columns import compare
from tasks.monitoring.drift.season import same_season, season_of, seasons

WEATHER = ["temp", "atemp", "hum", "windspeed"]


@pytest.fixture
def weather(real_data):
    """Hourly weather of 2011 and 2012, and its times."""
    rows = pd.read_csv(real_data / "bike_hour.csv")
    times = pd.to_datetime(rows["dteday"]) + pd.to_timedelta(rows["hr"], unit="h")
    return rows[WEATHER].astype("float32"), times.to_numpy().astype("datetime64[s]")


def month(times, number, year=2012):
    return times.astype("datetime64[M]") == np.datetime64(f"{year}-{number:02d}")


def scores(weather, season, moments, window):
    """Of each column of the window against 2011."""
    frame, times = weather[0][list(window)], weather[1]
    rules, old = Monitoring(season=season), times < np.datetime64("2012-01-01")
    wanted = seasons(moments, season)
    reference, its_times, _ = same_season(frame[old].reset_index(drop=True), times[old], season, wanted)
    return {
        name: column.score
        for name, column in compare(rules, window, reference, its_times, dict.fromkeys(window, NUMBERS), 0.5)[0].items()
    }


@pytest.mark.parametrize(("number", "weather_of"), [(12, 7), (1, 6), (7, 1)])
def test_summer_in_winter_is_seen_against_the_same_month_more_than_against_the_year(weather, number, weather_of):
    frame, times = weather
    own, other = frame[month(times, number)], frame[month(times, weather_of)]
    rows = min(len(own), len(other))
    window = other[["temp"]].iloc[:rows].reset_index(drop=True)  # alone: the felt temperature would contradict it at once
    moments = times[month(times, number)]
    against_the_month = scores(weather, "month", moments, window)["temp"]
    assert against_the_month > max(1, scores(weather, None, moments, window)["temp"])


def test_the_months_of_the_next_year_are_no_drift(weather):
    frame, times = weather
    months = [(times[month(times, number)], frame[month(times, number)]) for number in range(1, 13)]
    assert max(max(scores(weather, "month", *each).values()) for each in months) < 1


def test_where_the_reference_lacks_the_season_all_of_it_is_compared_and_that_is_said():
    times = np.datetime64("2026-01-01T00:00:00") + np.arange(1400) * np.timedelta64(1, "h")  # January and February
    frame, june, january = pd.DataFrame({"a": np.zeros(1400)}), [5], [0]
    reference, _, told = same_season(frame, times, "month", june)
    assert (len(reference), told) == (1400, "the whole reference, which has too few rows of the same month")
    reference, _, told = same_season(frame, times, "month", january)
    assert (len(reference), told) == (744, "the 744 rows of the reference of the same month")


def test_a_season_that_a_window_only_touches_does_not_count():
    times = np.datetime64("2026-01-31T22:00:00") + np.arange(100) * np.timedelta64(1, "h")
    assert seasons(times, "month") == [1]
    assert seasons(times, None) == []
    assert season_of(times[:1], "hour").tolist() == [22]
