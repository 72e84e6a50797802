"""Times with offsets: learned, replayed and split by the instant, from CSV, Parquet and SQL alike."""

import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
from prefect import flow

from configs.forms import Moment, parse_time
from configs.schema import Replay, Retraining
from flows.release import release
from flows.retrain import retrain
from tasks.data.source import replay_rows, training_rows
from tasks.training.may_retrain import held_back
from tests.conftest import small_frame, small_use_case

HOURS = 48
START = datetime(2026, 3, 28, tzinfo=UTC)
INSTANTS = [START + timedelta(hours=hour) for hour in range(HOURS)]
OFFSETS = [UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=2)), timezone(timedelta(hours=-5))]
MIXED = [moment.astimezone(OFFSETS[number % 4]) for number, moment in enumerate(INSTANTS)]
TIMED = {"\ntarget:": "\n  time_column: at\ntarget:", "window: 100 rows": "window: 1 day"}


def csv(case, frame, folder):
    frame.assign(at=[moment.isoformat() for moment in MIXED]).to_csv(folder / "rows.csv", index=False)
    return {}


def zoned_parquet(case, frame, folder):
    frame.assign(at=pd.DatetimeIndex(INSTANTS).tz_convert("Europe/Berlin")).to_parquet(folder / "rows.parquet")
    return {"tables": {"rows": str(folder / "rows.parquet")}}


def text_parquet(case, frame, folder):
    frame.assign(at=[moment.isoformat() for moment in MIXED]).to_parquet(folder / "rows.parquet")
    return {"tables": {"rows": str(folder / "rows.parquet")}}


def naive_parquet(case, frame, folder):
    frame.assign(at=pd.DatetimeIndex(INSTANTS).tz_localize(None)).to_parquet(folder / "rows.parquet")
    return {"tables": {"rows": str(folder / "rows.parquet")}}


def database(case, frame, folder):
    with sqlite3.connect(folder / "rows.db") as rows:
        frame.assign(at=[moment.isoformat() for moment in MIXED]).to_sql("rows", rows, index=False)
    return {"tables": {}, "database": f"sqlite:///{folder}/rows.db", "query": "select * from rows"}


def driver(case, frame, folder, monkeypatch):
    """A database driver that gives Python's times, each with its offset, as those of PostgreSQL do."""
    rows = [(*row, at) for row, at in zip(frame.itertuples(index=False, name=None), MIXED, strict=True)]
    monkeypatch.setattr("tasks.data.database.fetch", lambda *_: ([*frame.columns, "at"], rows))
    return {"tables": {}, "database": "sqlite://", "query": "select 1"}


@pytest.mark.parametrize("origin", [csv, zoned_parquet, text_parquet, naive_parquet, database, driver])
def test_rows_are_learned_and_replayed_by_the_instant(home, tmp_path, monkeypatch, origin):
    frame = small_frame(HOURS)
    case = small_use_case(tmp_path, frame.assign(at="2026-01-01"), **TIMED)
    more = (monkeypatch,) if origin is driver else ()
    source = case.source.model_copy(update=origin(case, frame, tmp_path, *more))
    start = datetime(2026, 3, 29, 5, tzinfo=timezone(timedelta(hours=2)))
    case = case.model_copy(update={"source": source, "replay": Replay(start=start)})
    expected = [moment.replace(tzinfo=None) for moment in INSTANTS]
    for until in (start, start.astimezone(UTC)):
        assert training_rows(case, until)["at"].to_pylist() == expected[:27], "five o'clock at +02:00 is three o'clock"
    assert replay_rows(case)["at"].to_pylist() == expected[27:]
    assert training_rows(case, START + timedelta(hours=HOURS))["a"].to_pylist() == pytest.approx(frame["a"].tolist()), (
        "in order"
    )


def test_real_cases_where_they_are_there(home, tmp_path, real_data):
    path = real_data.parent / "cases" / "offsets.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    case = small_use_case(tmp_path, **TIMED)
    case = case.model_copy(
        update={
            "source": case.source.model_copy(update={"tables": {"rows": str(path)}}),
            "features": case.features.model_copy(update={"numeric": ["load"], "categorical": []}),
            "target": case.target.model_copy(update={"column": "late", "positive": 1}),
        }
    )
    given = pd.read_csv(path)["at"].map(parse_time)
    until = parse_time("2025-03-30T02:30:00+02:00")
    learned = training_rows(case, until)["at"].to_pylist()
    assert learned == sorted(moment.replace(tzinfo=None) for moment in given if moment < until)


@pytest.mark.parametrize("until", ["2026-03-01T12:00", datetime(2026, 3, 1, 12), "2026-03-01T14:00+02:00"])
def test_a_run_takes_a_moment_however_it_is_written(until):
    for run in (release, retrain):
        assert run.validate_parameters({"until": until})["until"] == datetime(2026, 3, 1, 12, tzinfo=UTC)

    @flow
    def held(until: Moment | None = None) -> str | None:
        lost = {"until": "2026-03-01T00:00:00+00:00", "cause": "drift", "better": False}
        return held_back(Retraining(), [lost], until)

    assert "did not come to serve" in held.fn(held.validate_parameters({"until": until})["until"])
