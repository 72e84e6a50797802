import json
from datetime import UTC, datetime, timedelta

import msgspec

from configs.settings import prediction_log
from serving.contract.contract import Column, Contract
from serving.log.writer import Feedback, Prediction, PredictionLog, Refused
from tasks.log.compact import compact
from tasks.log.values import Bounds
from tasks.log.windows import closed_windows, decoded, read_window
from tests.conftest import small_use_case

CONTRACT = Contract("small", (Column("a", "numeric", nullable=True),), "y", ("no", "yes"))


def prediction(number, caller=""):
    time = f"2020-01-01T00:00:{number % 60:02d}.000000Z"
    record = {"a": 1.0 * number}
    return Prediction(f"p{number:03d}", time, time, "1", "r", "champion", caller, record, "yes", [0.4, 0.6], 10, "d")


def test_labels_join_early_or_late_and_the_last_one_counts(home, tmp_path):
    log = PredictionLog(prediction_log("small"))
    log.append([Feedback("p001", "2020-01-01T00:00:00.000000Z", "yes", "")])  # before its prediction
    log.append([prediction(n) for n in range(4)])
    log.append([Feedback("p002", f"2020-01-02T00:00:0{n}.000000Z", label, "") for n, label in enumerate(("yes", "no"))])
    read = read_window(small_use_case(tmp_path), Bounds(name="w", start="0", end="4"))
    assert (read.asked, read.requests, read.strays, read.torn) == (4, 4, 0, 0)
    rows = decoded(read.table, CONTRACT)
    assert rows["target"].to_pylist() == [None, 1, 0, None]
    assert rows["feature.a"].to_pylist() == [0.0, 1.0, 2.0, 3.0]


def test_of_identifiers_only_those_that_are_asked_for_come_along(home, tmp_path):
    log = PredictionLog(prediction_log("small"))
    for number, (group, customer) in enumerate([("x", 1), ('it\'s "y"', 2), (None, 3), (4, 4)]):
        record = {"a": 1.0, "my group": group, "customer": customer}
        log.append([msgspec.structs.replace(prediction(number), features=record)])
    contract = msgspec.structs.replace(CONTRACT, identifiers=("customer", "my group"))
    read = read_window(small_use_case(tmp_path), Bounds(name="w", start="0", end="4"))
    rows = decoded(read.table, contract, ["my group", "a", "stranger"])
    assert rows["identifier.my group"].to_pylist() == ["x", 'it\'s "y"', None, "4"]
    assert [name for name in rows.column_names if name.startswith("identifier.")] == ["identifier.my group"]
    assert not [name for name in decoded(read.table, contract).column_names if name.startswith("identifier.")]


def test_a_request_sent_twice_and_a_test_are_counted_once_and_not_at_all(home, tmp_path):
    log = PredictionLog(prediction_log("small"))
    log.append([prediction(n) for n in range(100)])
    log.append([prediction(5), prediction(200, caller="integration-test")])
    assert [bounds.name for bounds in closed_windows(small_use_case(tmp_path))] == ["rows-0-99"]
    rows = read_window(small_use_case(tmp_path), Bounds(name="w", start="0", end="200"))
    assert (rows.table.num_rows, rows.asked) == (100, 100)


def test_a_long_window_is_a_sample_the_same_before_and_after_compaction(home, tmp_path):
    """Rows, labels and what was sent twice are in the sample together; what an earlier window has is in no later one."""
    log, case = PredictionLog(prediction_log("small")), small_use_case(tmp_path)
    moments = [f"{datetime(2020, 1, 1) + timedelta(days=n / 2000):%Y-%m-%dT%H:%M:%S.%fZ}" for n in range(4000)]
    made = [
        Prediction(f"p{n}", moments[n], moments[n], "1", "r", "champion", "", {"a": float(n)}, "yes", [0.4, 0.6], 10, "d")
        for n in range(4000)
    ]
    late = msgspec.structs.replace(made[1999], time=moments[3000], event_time=moments[3000])
    log.append([*made, *made[2000:2100], late])
    log.append([Feedback(f"p{n}", "2020-01-09T00:00:00.000000Z", "yes", "") for n in range(0, 4000, 2)])
    day = Bounds(name="2020-01-02", start="2020-01-02T00:00:00+00:00", end="2020-01-03T00:00:00+00:00")
    whole = read_window(case, day)
    assert (decoded(whole.table, CONTRACT)["feature.a"].to_pylist(), whole.asked) == (
        [float(n) for n in range(2000, 4000)],
        2000,
    )
    sample = read_window(case, day, most=500)
    seen = decoded(sample.table, CONTRACT).to_pandas()
    assert sample.asked == 2101
    assert 400 < len(seen) < 600
    assert seen["prediction_id"].is_unique
    assert (seen["target"].notna() == (seen["feature.a"] % 2 == 0)).all()
    log.close()
    compact("small")
    assert read_window(case, day, most=500).table.equals(sample.table)
    assert read_window(case, Bounds(name="w", start="1000", end="3000"), most=500).asked == 2000


def test_numbers_of_feedback_join_each_by_its_last_and_refusals_count_within_the_window(home, tmp_path):
    log, case = PredictionLog(prediction_log("small")), small_use_case(tmp_path)
    log.append([prediction(n) for n in range(4)])
    told = [
        ("p001", {"minutes": 3.0, "cost": 1.0, "prediction_id": 7.0}),
        ("p002", {"minutes": 5.0}),
        ("p001", {"cost": 2.0}),
        ("gone", {"other": 1.0}),
    ]
    log.append([Feedback(name, f"2020-01-03T00:00:0{n}.000000Z", None, "", kpis) for n, (name, kpis) in enumerate(told)])
    log.append([Feedback("p003", "2020-01-03T00:00:00.000000Z", "yes", "")])
    moments = [f"2020-01-01T00:00:{second}.000000Z" for second in ("01", "02", "59")]
    refused = [Refused(moment, moment, 422, "a", "", 5) for moment in moments]
    log.append(
        [
            *refused,
            Refused(moments[0], moments[0], 429, "", "", 2),
            Refused(moments[0], moments[0], 422, "a", "integration-test", 9),
        ]
    )
    bounds = Bounds(name="w", start="0", end="4")
    rows = read_window(case, bounds)
    table = decoded(rows.table, CONTRACT).sort_by("prediction_id")
    assert table["kpi.minutes"].to_pylist() == [None, 3.0, 5.0, None]
    assert table["kpi.cost"].to_pylist() == [None, 2.0, None, None]
    assert table["kpi.prediction_id"].to_pylist() == [None, 7.0, None, None]
    assert "kpi.other" not in table.column_names
    assert table["target"].to_pylist() == [None, None, None, 1]
    assert [(one.status, one.feature, one.requests) for one in rows.refused] == [(422, "a", 10), (429, "", 2)]
    log.close()
    compact("small")
    again = read_window(case, bounds)
    assert (again.table.equals(rows.table), again.refused) == (True, rows.refused)


def test_an_empty_log_has_no_windows(home, tmp_path):
    assert closed_windows(small_use_case(tmp_path)) == []


def test_months_close_when_they_have_ended(home):
    from configs.load import load_use_case
    from tasks.clock import set_clock

    case = load_use_case("flights")
    log = PredictionLog(prediction_log("flights"))
    record = json.loads(json.dumps({}))
    for month in (3, 4):
        moment = f"2013-0{month}-05T00:00:00.000000Z"
        log.append([Prediction(f"p{month}", moment, moment, "1", "r", "champion", "", record, 1, [0.4, 0.6], 10, "d")])
    set_clock(case, datetime(2013, 4, 20, tzinfo=UTC))
    assert [bounds.name for bounds in closed_windows(case)] == ["2013-03"]
    set_clock(case, datetime(2013, 5, 1, tzinfo=UTC))
    assert [bounds.name for bounds in closed_windows(case)] == ["2013-03", "2013-04"]


def test_a_feature_may_have_any_name_also_one_of_the_log_s_own(home, tmp_path):
    names = [
        "time",
        "target",
        "version",
        "probability",
        "latency_us",
        "prediction_id",
        "kpi.cost",
        "a",
        "A",
        'say "hi"',
        "x/y~z",
    ]
    columns = tuple(Column(name, "numeric" if name != "A" else "categorical", nullable=True) for name in names)
    record = {name: float(n) for n, name in enumerate(names)} | {"A": "it's"}
    log = PredictionLog(prediction_log("small"))
    log.append([msgspec.structs.replace(prediction(n), features=record) for n in range(2)])
    log.append([Feedback("p000", "2020-01-02T00:00:00.000000Z", "yes", "", {"cost": 5.0})])
    read = read_window(small_use_case(tmp_path), Bounds(name="w", start="0", end="2"))
    rows = decoded(read.table, Contract("small", columns, "y", ("no", "yes"))).to_pydict()
    assert (rows["prediction_id"], rows["target"], rows["kpi.cost"]) == (["p000", "p001"], [1, None], [5.0, None])
    assert {name: rows[f"feature.{name}"][0] for name in names} == record
