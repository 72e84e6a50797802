"""Moments as features: one spelling and one set of numbers, whatever wrote them, from the table to the drift report."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from serving.contract.contract import Column, Contract, ContractError, contract_json, parse_contract
from serving.contract.kinds.moments import PARTS, SPELLED, parts, spelled
from serving.contract.records import Records
from serving.scoring.onnx import Scorer
from tasks.columns.choose import KINDS
from tasks.columns.datetime import ODD, bins_of_moments, numbers, shifted
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.monitoring.drift.faults import fault
from tasks.packaging.convert import check_generated, convert, to_onnx
from tasks.packaging.generated import generate
from tasks.problems.problem import problem_of
from tasks.training.fitted import load
from tests.conftest import chain, small_use_case
from tests.unit.test_tables import check, untold, use_case  # noqa: F401 a fixture

DATETIME = {"categorical: [c]": "datetime: [at]"}
COLUMN = Column("at", "datetime")
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=st.just(UTC))


def trips(rows=800, seed=0):
    """Of which those that depart at night are late; a few have no departure."""
    dice = np.random.default_rng(seed)
    at = pd.Timestamp("2025-11-03") + pd.to_timedelta(dice.integers(0, 120 * 24 * 60, rows), "min")
    late = np.where((at.hour < 8) ^ (dice.random(rows) < 0.1), "yes", "no")
    frame = pd.DataFrame({"a": dice.normal(size=rows), "b": dice.normal(size=rows), "at": at, "y": late})
    frame.loc[::50, "at"] = None
    return frame


@given(MOMENTS, ZONES)
def test_an_instant_has_one_spelling_and_one_set_of_numbers_whatever_its_offset(moment, zone):
    try:
        local = moment.astimezone(zone)
    except OverflowError:
        return
    written = [moment.isoformat(), moment.isoformat().replace("T", " "), local.isoformat(), moment, local]
    written += [moment.replace(tzinfo=None), moment.replace(tzinfo=None).isoformat()]
    (text,) = set(map(spelled, written))
    assert re.match(SPELLED, text)
    assert spelled(text) == text
    assert datetime.fromisoformat(text) == moment
    found = dict(zip(PARTS, parts(np.array([[text]], dtype=object))[0].tolist(), strict=True))
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    assert found["day"] == (moment.date() - datetime(2000, 1, 1).date()).days
    assert found["hour"] == pytest.approx((moment - start) / timedelta(hours=1), abs=2e-6)
    assert found["hour"] < 24
    assert (found["weekday"], found["monthday"]) == (moment.weekday(), moment.day)
    assert found["yearday"] == moment.timetuple().tm_yday
    for name in ("hour", "weekday", "yearday"):
        assert found[f"{name}.sin"] ** 2 + found[f"{name}.cos"] ** 2 == pytest.approx(1, abs=1e-6)


@given(st.lists(st.one_of(st.just(""), MOMENTS.map(spelled), st.sampled_from(ODD)), min_size=1, max_size=20))
def test_one_row_gets_the_numbers_that_it_gets_among_others_to_the_bit(texts):
    column = np.array(texts, dtype=object).reshape(-1, 1)
    whole = parts(column)
    assert whole.dtype == np.float32
    assert np.array_equal(whole, np.vstack([parts(column[[row]]) for row in range(len(texts))]), equal_nan=True)
    both = numbers(np.hstack([column, column[::-1]]))
    assert np.array_equal(both, np.hstack([whole, whole[::-1]]), equal_nan=True), "as training reads several columns"
    assert np.isnan(whole).any(axis=1).tolist() == [text == "" for text in texts]


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z", fullmatch=True))
def test_the_strict_type_takes_just_what_needs_no_second_look(text):
    assert bool(re.match(SPELLED, text)) == (spelled(text) == text)


def test_every_day_of_four_hundred_years_is_strict():
    days = [(datetime(1899, 12, 31) + timedelta(days=number)).isoformat() + "Z" for number in range(366 * 400)]
    assert all(re.match(SPELLED, day) for day in days)
    assert not any(re.match(SPELLED, f"{day}T00:00:00Z") for day in ("1900-02-29", "2023-02-29", "2024-04-31", "0000-01-01"))


WRONG = {
    "a number": 1772366400,
    "a fraction": 3.5,
    "a boolean": True,
    "words": "yesterday",
    "another order": "31.12.2025",
    "no such day": "2025-02-29",
    "no such hour": "2025-01-01T24:00:00Z",
    "no such offset": "2025-01-01T00:00:00+00:75",
    "before the year 1": "0001-01-01T00:00:00+01:00",
    "a time without a day": "12:30:00",
    "other digits": "२०२५-01-01",
    "a line more": "2025-01-01T00:00:00Z\n",
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_what_is_no_moment_is_one_fault_that_says_what_is_right(value):
    right = (
        r"row 1, column 'at': must be a time in ISO 8601, such as '2026-03-01T12:00:00Z', from the year 1 to 9999, found "
    )
    contract = Contract("demo", (COLUMN,), "y", ("no", "yes"))
    records, good = Records(contract), {"at": "2026-03-01T12:00:00Z"}
    for ask in (
        lambda: COLUMN.encode([good["at"], value]),
        lambda: records.read([json.dumps(each).encode() for each in (good, {"at": value})]),
        lambda: records.convert([good, {"at": value}]),
        lambda: records.from_columns({"at": [good["at"], value]}),
        lambda: records.convert([good, {"at": COLUMN.from_csv(str(value))}]),
    ):
        with pytest.raises(ContractError, match=right) as error:
            ask()
        assert len(error.value.faults) == 1


def test_what_stands_for_nothing_is_missing_and_refused_where_none_may_be():
    column = Column("at", "datetime", nullable=True, missing=("-", "1970-01-01T00:00:00Z"))
    values = [None, "", "-", "1970-01-01T00:00:00Z", pd.NaT, float("nan")]
    assert column.encode(values).ravel().tolist() == [""] * 6
    records = Records(Contract("demo", (column,), "y", ("no", "yes")))
    raws = [json.dumps({"at": value}).encode() for value in values[:4]] + [b"{}"]
    assert [record.f0 for record in records.read(raws)] == [None] * 5
    assert [column.from_csv(text) for text in ("", "NA", "n/a", "-", "2026-03-01")] == [None] * 4 + ["2026-03-01"]
    for empty in (None, ""):
        with pytest.raises(ContractError, match="is missing, and this column may not be null"):
            COLUMN.encode([empty])


def test_the_contract_names_what_it_derives_and_refuses_what_it_does_not():
    column = Column("at", "datetime", derived=tuple(f"at.{part}" for part in PARTS))
    contract = Contract("demo", (column, Column("a", "numeric")), "y", ("no", "yes"))
    assert json.loads(contract_json(contract))["columns"][0]["derived"][:2] == ["at.day", "at.hour"]
    assert parse_contract(contract_json(contract)) == contract
    assert "at.weekday.sin" in column.its.schema(column)["description"]
    with pytest.raises(ValueError, match=r"column 'at': 'at\.decade' is not what this code derives"):
        parse_contract(contract_json(contract).replace(b"at.yearday.cos", b"at.decade"))


@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "logistic_regression"])
@pytest.mark.parametrize("days", [120, 2])
def test_onnx_answers_as_scikit_learn_does_on_every_moment(tmp_path, home, quiet, estimator, days):
    frame = trips()
    first = frame["at"].min().normalize()
    frame["at"] = first + (frame["at"] - first) % pd.Timedelta(days=days)
    case = small_use_case(tmp_path, frame, **DATETIME, **{"evaluation:": f"model: {{estimator: {estimator}}}\nevaluation:"})
    snapshot, digest, split, fitted = chain(case)
    onnx = convert.fn(split, digest, case.features, fitted)  # compares the holdout, and generated rows
    columns, pipeline = contract_of(digest), load(fitted)
    assert to_onnx(pipeline, columns, case.features) == onnx.path.read_bytes()
    column = columns.columns[-1]
    assert (column.kind, column.nullable, column.derived[1]) == ("datetime", True, "at.hour")
    assert (column.low, column.high) == (9438.0, 9438.0 + days - 1)
    encoded = encode(columns, read_rows(snapshot, 0, len(ODD)).assign(at=ODD))[case.features.all]
    found = Scorer(onnx.path, columns).outputs(model_input(encoded))
    assert np.abs(found - pipeline.predict_proba(encoded)).max() < 1e-5
    told = generate(onnx.path.read_bytes(), columns, encode(columns, read_rows(snapshot, split.cut, snapshot.rows)))
    if estimator == "hist_gradient_boosting":
        assert told.unreached < told.splits / 2
        assert any("'at'" in aim for aim in told.together.aims)


def test_a_graph_that_reads_an_hour_wrongly_is_stopped(tmp_path, home, quiet):
    case = small_use_case(tmp_path, trips(), **DATETIME)
    snapshot, digest, split, fitted = chain(case)
    columns, pipeline = contract_of(digest), load(fitted)
    encoded = encode(columns, read_rows(snapshot, split.cut, snapshot.rows))[case.features.all]
    scorer = Scorer(to_onnx(pipeline, columns, case.features), columns)
    ((inside, turn),) = scorer._wide.items()
    scorer._wide[inside] = lambda texts: turn(texts) + (np.arange(len(PARTS)) == PARTS.index("hour")).astype(np.float32)
    problem = problem_of(columns)
    with pytest.raises(Exception, match=r"a generated row, .*column 'at'"):
        check_generated(
            generate(to_onnx(pipeline, columns, case.features), columns, encoded),
            columns,
            scorer,
            lambda rows: problem.outputs(columns, pipeline, rows),
            problem.outputs(columns, pipeline, encoded),
        )


FEATURES = "target: {column: y, positive: 'yes'}\nfeatures: {datetime: [at, paid], numeric: [a]}"


def test_moments_mean_the_same_everywhere(tmp_path, home, untold):  # noqa: F811
    """With a zone in a Parquet, as text with offsets in a CSV, by every protocol, in the log, in a window and in a batch."""
    frame = trips().drop(columns="b")
    frame["paid"] = (frame["at"] - pd.Timedelta(days=3)).dt.date
    frame["at"] = frame["at"].dt.tz_localize("Europe/Berlin", ambiguous=True, nonexistent="shift_forward")
    frame.to_parquet(tmp_path / "rows.parquet")
    contract = check(use_case(tmp_path / "rows.parquet", FEATURES), tmp_path, watched=True)
    assert [column.kind for column in contract.columns] == ["numeric", "datetime", "datetime"]
    zones = ["Asia/Tokyo", "America/Lima", "UTC"]
    texts = [None if pd.isna(at) else at.tz_convert(zones[row % 3]).isoformat() for row, at in enumerate(frame["at"])]
    written = frame.assign(at=texts)
    written.to_csv(tmp_path / "rows.csv", index=False)
    written.astype({"paid": "string"}).to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    encoded = {}
    for name in ("rows.parquet", "rows.csv", "rows.jsonl"):
        case = use_case(tmp_path / name, FEATURES)
        snapshot, digest, _, _ = chain(case)
        rows = encode(contract_of(digest), read_rows(snapshot, 0, snapshot.rows))
        encoded[name] = rows.sort_values(["a"]).reset_index(drop=True)
    for name in ("rows.csv", "rows.jsonl"):
        pd.testing.assert_frame_equal(encoded[name], encoded["rows.parquet"])


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda frame: frame.assign(at=frame["at"].astype("int64")), "column 'at', row 0: must be a time in ISO 8601"),
        (lambda frame: frame.assign(at=["soon", *frame["at"].astype(str)[1:]]), r"must be a time .* found 'soon'"),
    ],
)
def test_a_table_with_what_is_no_moment_is_told_by_its_row(tmp_path, home, quiet, write, told):
    with pytest.raises(InputError, match=f"features.datetime: .*{told}"):
        chain(small_use_case(tmp_path, write(trips().dropna()), **DATETIME))


def test_a_moment_has_no_bounds(tmp_path):
    with pytest.raises(InputError, match=r"'at' is datetime, which has no 'minimum'; nullable and sensitive fit"):
        small_use_case(tmp_path, **{"categorical: [c]": "datetime: [at], rules: {at: {minimum: 3}}"})


def series(values):
    return pd.Series([spelled(value) for value in values], name="at", dtype=object)


def test_another_time_of_the_week_is_drift_and_time_that_goes_on_is_none():
    dice = np.random.default_rng(0)
    weeks = pd.Timestamp("2026-01-05") + pd.to_timedelta(dice.integers(0, 8 * 7 * 10, 4000) // 10, "D")
    office = series(weeks + pd.to_timedelta(dice.integers(8, 18, 4000), "h"))
    bins = bins_of_moments(office)

    def share(values):
        return np.bincount(bins.codes(values), minlength=bins.size) / len(values)

    later = series(pd.to_datetime(office) + pd.Timedelta(days=7 * 60))
    assert np.array_equal(share(later), share(office)), "a year and a half later"
    night = series(pd.to_datetime(office) + pd.Timedelta(hours=9))
    assert np.abs(share(night) - share(office)).sum() > 1
    assert share(pd.Series([None] * 5, dtype=object))[-1] == 1
    kind = KINDS["datetime"]
    assert (
        fault(night, office, kind) == "times lie 9 hours later in the day than in the reference, as where an offset is lost"
    )
    earlier = series(pd.to_datetime(office) - pd.Timedelta(hours=2))
    assert shifted(earlier, office).told.startswith("times lie 2 hours earlier")
    assert shifted(later, office) is None
    restored = pd.Series(kind.put_back(night, office, np.random.default_rng(1)))
    assert np.abs(share(restored) - share(office)).sum() < 0.2
    week = [pd.to_datetime(each).dt.tz_localize(None).dt.to_period("W") for each in (restored, night)]
    assert (week[0] == week[1]).all(), "what drifted is put back, and time is not"
    assert set(KINDS["datetime"].shown(office).unique() % 24) <= set(range(8, 18))
