import sqlite3
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from configs.load import load_use_case
from tasks.data.ingest import ingest
from tasks.data.source import replay_rows, training_rows
from tests.conftest import small_frame, small_use_case


def test_same_rows_same_snapshot_whatever_their_order(home, quiet, tmp_path):
    frame = small_frame()
    one = ingest.fn(small_use_case(tmp_path, frame), None)
    other = ingest.fn(small_use_case(tmp_path, frame.sample(frac=1, random_state=1)), None)
    assert one == other
    assert pq.read_table(one.path).num_rows == len(frame)


def test_flights_learn_nothing_that_was_not_known_then():
    """The newest row's label must have arrived: it lies before `until` by the label's delay."""
    case = load_use_case("flights")
    times = training_rows(case, datetime(2013, 2, 1, tzinfo=UTC))["scheduled_at"].to_pandas()
    assert times.max() < datetime(2013, 1, 31, 12)
    assert times.is_monotonic_increasing
    replayed = replay_rows(case)["scheduled_at"].to_pandas()
    assert replayed.min() >= datetime(2013, 3, 1)


def test_loans_train_and_replay_share_no_row():
    case = load_use_case("loans")
    train, live = training_rows(case, None), replay_rows(case)
    assert train.num_rows + live.num_rows == 1989
    assert train.num_rows == pytest.approx(live.num_rows, abs=1)


def test_a_database_is_a_source_too(home, quiet, tmp_path):
    with sqlite3.connect(tmp_path / "rows.db") as database:
        small_frame().to_sql("rows", database, index=False)
    case = small_use_case(tmp_path)
    source = case.source.model_copy(
        update={"tables": {}, "database": f"sqlite:///{tmp_path}/rows.db", "query": "select * from rows"}
    )
    assert ingest.fn(case.model_copy(update={"source": source}), None).rows == 600


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rows.csv", "gone.csv", "source.tables.rows: cannot read"),
        ("rows.csv", "rows.docx", "is neither CSV (.csv, .tsv), Parquet"),
        ("numeric: [a, b]", "numeric: [a, bb]", "features: the source has no column 'bb'; did you mean 'b'?"),
        ("column: y", "column: yy", "target.column: the source has no column 'yy'"),
    ],
)
def test_bad_sources_are_named(tmp_path, old, new, told):
    case = small_use_case(tmp_path, **{old: new})
    with pytest.raises(InputError) as caught:
        training_rows(case, None)
    assert told in str(caught.value)


def test_package_that_is_not_there(tmp_path):
    case = small_use_case(tmp_path)
    source = case.source.model_copy(update={"tables": {"rows": "package://no_such_package/rows.csv"}})
    with pytest.raises(InputError, match="no Python package 'no_such_package' is installed"):
        training_rows(case.model_copy(update={"source": source}), None)


def test_broken_query_and_empty_source(tmp_path):
    case = small_use_case(tmp_path)
    source = case.source.model_copy(update={"query": "select nothing from nowhere"})
    with pytest.raises(InputError, match=r"source\.query"):
        training_rows(case.model_copy(update={"source": source}), None)
    with pytest.raises(InputError, match="has no rows"):
        training_rows(small_use_case(tmp_path, small_frame().head(0)), None)
    nothing = small_frame().assign(y=None)
    with pytest.raises(InputError, match="source has no row with a 'y'"):
        training_rows(small_use_case(tmp_path, nothing), None)


def test_a_csv_has_its_time_as_text(tmp_path):
    timed = {"\ntarget:": "\n  time_column: at\ntarget:", "window: 100 rows": "window: 1 day"}
    moments = [f"2026-01-01T0{hour}:30:00+01:00" for hour in range(9, -1, -1)]
    rows = training_rows(
        small_use_case(tmp_path, small_frame(10).assign(at=moments), **timed), datetime(2026, 1, 1, 6, tzinfo=UTC)
    )
    assert rows["at"].to_pylist() == [datetime(2025, 12, 31, 23, 30) + timedelta(hours=hour) for hour in range(7)]
    for wrong, told in (("yesterday", "has 'yesterday', which is no time"), (None, "has None, which is no time")):
        case = small_use_case(tmp_path, small_frame(10).assign(at=[*moments[:-1], wrong]), **timed)
        with pytest.raises(InputError, match=told):
            training_rows(case, None)
