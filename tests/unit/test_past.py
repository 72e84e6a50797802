"""What the log knew of persons before a rollout began."""

from datetime import UTC, datetime, timedelta

from configs.settings import prediction_log
from serving.contract.contract import Column, Contract
from serving.log.writer import Feedback, Prediction, PredictionLog
from tasks.log.exposures import read_past
from tests.conftest import small_use_case

CONTRACT = Contract("small", (Column("a", "numeric"),), "y", ("no", "yes"))
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


def at(days):
    return f"{BEGAN + timedelta(days=days):%Y-%m-%dT%H:%M:%S.%fZ}"


def test_it_ends_when_the_rollout_begins_and_is_four_weeks_long(home, tmp_path):
    log = PredictionLog(prediction_log("small"))
    asked = [
        ("p1", "ann", -3),
        ("p2", "ann", -2),
        ("p3", "bob", -1),
        ("p4", "ann", 1),
        ("p5", "eve", -40),
        ("p6", "bob", -1),
    ]
    log.append(
        [
            Prediction(name, at(days), at(days), "1", "r", "champion", "", {"customer": who}, "yes", [0.4, 0.6], 10, "d")
            for name, who, days in asked
        ]
    )
    told = [("p1", 5.0, -2), ("p1", 6.0, -1), ("p2", 1.0, -1), ("p4", 100.0, 1), ("p5", 100.0, -39), ("p3", 7.0, -0.5)]
    log.append([Feedback(name, at(days), None, "", {"revenue": value}) for name, value, days in told])
    log.append([Feedback("p6", at(2), None, "", {"revenue": 100.0}), Feedback("p6", at(-0.5), None, "", {"other": 1.0})])
    log.close()
    past = read_past(small_use_case(tmp_path), BEGAN, CONTRACT, ["revenue"], "customer")
    assert past.to_dict("index") == {
        "ann": {"kpi.revenue": 7.0, "count.revenue": 2},
        "bob": {"kpi.revenue": 7.0, "count.revenue": 1},
    }
