"""What the log knew before: of persons before a rollout began, of groups before a stage did."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from configs.errors import InputError
from configs.rollout import Rollout
from configs.settings import prediction_log, store
from serving.contract.contract import Column, Contract
from serving.log.writer import Feedback, Prediction, PredictionLog, Shadow
from tasks.log.exposures import read_exposures, read_past
from tasks.log.queries import try_queries
from tasks.registry.values import Version
from tasks.rollouts.evidence import gather
from tasks.rollouts.values import State
from tests.conftest import small_use_case

CONTRACT = Contract("small", (Column("a", "numeric"),), "y", ("no", "yes"))
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


def at(days):
    return f"{BEGAN + timedelta(days=days):%Y-%m-%dT%H:%M:%S.%fZ}"


def asked(name, days, features, plan="", assigned="", said="yes"):
    """A request that the champion answered; the plan that it came under, and the arm that it was to meet."""
    moment, outputs = at(days), [0.4, 0.6]
    words = ("1", "r", "champion", "", features, said, outputs, 10, "d")
    return Prediction(name, moment, moment, *words, plan=plan, assigned=assigned)


def test_it_ends_when_the_rollout_begins_and_is_four_weeks_long(home, tmp_path):
    log = PredictionLog(prediction_log("small"))
    requests = [
        ("p1", "ann", -3),
        ("p2", "ann", -2),
        ("p3", "bob", -1),
        ("p4", "ann", 1),
        ("p5", "eve", -40),
        ("p6", "bob", -1),
    ]
    log.append([asked(name, days, {"customer": who}) for name, who, days in requests])
    told = [("p1", 5.0, -2), ("p1", 6.0, -1), ("p2", 1.0, -1), ("p4", 100.0, 1), ("p5", 100.0, -39), ("p3", 7.0, -0.5)]
    log.append([Feedback(name, at(days), None, "", {"revenue": value}) for name, value, days in told])
    log.append([Feedback("p6", at(2), None, "", {"revenue": 100.0}), Feedback("p6", at(-0.5), None, "", {"other": 1.0})])
    log.close()
    past = read_past(small_use_case(tmp_path), BEGAN, CONTRACT, ["revenue"], "customer")
    assert past.to_dict("index") == {
        "ann": {"kpi.revenue": 7.0, "count.revenue": 2},
        "bob": {"kpi.revenue": 7.0, "count.revenue": 1},
    }


PROFIT = """
select p.prediction_id, case when p.prediction = 'yes' then (f.kpis ->> 'revenue')::double - 1 else 0 end as value
from log p join log f using (prediction_id) where p.kind = 'prediction' and f.kind = 'feedback'"""


def test_a_kpi_may_be_a_query_over_requests_and_feedback(home, tmp_path):
    log = PredictionLog(prediction_log("small"))
    log.append([asked(name, 0, {}, "roll.1", said=said) for name, said in (("p1", "yes"), ("p2", "no"), ("p3", "yes"))])
    log.append([Feedback(name, at(1), None, "", {"revenue": 5.0}) for name in ("p1", "p2")])
    log.close()
    try_queries("small", {"profit": PROFIT, "revenue": ""})
    rows = read_exposures("small", "roll.1", CONTRACT, {"profit": PROFIT, "revenue": ""}).set_index("prediction_id")
    assert rows["kpi.profit"].dropna().to_dict() == {"p1": 4.0, "p2": 0.0}
    assert rows["kpi.revenue"].dropna().to_dict() == {"p1": 5.0, "p2": 5.0}
    for wrong in ("select prediction_id from log", "select prediction_id, kind as value from log", "drop table log"):
        with pytest.raises(InputError, match="'kpi profit': 'sql': "):
            try_queries("small", {"profit": wrong})


def test_a_pilot_of_now_is_known_before_the_stage(home, tmp_path):
    (store("contracts") / "c.json").write_bytes(msgspec.json.encode(CONTRACT))
    challenger = Version.model_construct(version="2", tags={"contract": "c"})
    state = State.model_construct(id="roll", challenger=challenger, began=BEGAN)
    declared = Rollout(stages=[{"cohort": {"column": "shop", "values": ["a"], "for": "2 days"}}])
    log = PredictionLog(prediction_log("small"))

    shops = {shop: {"shop": shop} for shop in ("a", "b", "c")}
    log.append([asked("now-a", 1, shops["a"], "roll.1", "challenger")])
    log.append([asked(f"now-{shop}", 1, shops[shop], "roll.1") for shop in ("b", "c")])
    log.append([asked(f"then-{shop}", 0, shops[shop]) for shop in ("a", "b")])
    log.append([asked("long-ago", -1.5, shops["a"]), asked("canary", 0.5, shops["a"], "another", "challenger")])
    log.close()
    evidence = gather(small_use_case(tmp_path), declared, state, 0)
    frames = (evidence.challenger, evidence.reference, *evidence.before)
    assert [list(rows["prediction_id"]) for rows in frames] == [["now-a"], ["now-b", "now-c"], ["then-a"], ["then-b"]]
    assert not evidence.alone
    assert [len(rows) for rows in evidence.where("feature.shop", "b").before] == [0, 1]


def test_a_canary_and_a_shadow_are_gathered_with_numbers_keys_and_slices(home, tmp_path):
    (store("contracts") / "c.json").write_bytes(msgspec.json.encode(CONTRACT))
    challenger = Version.model_construct(version="2", tags={"contract": "c"})
    state = State.model_construct(id="roll", challenger=challenger, began=BEGAN)
    checks = [
        {"measure": "loss", "by": "shop", "margin": 0},
        {"measure": "kpi", "kpi": "revenue", "better": "higher", "margin": 0},
        {"measure": "kpi", "kpi": "profit", "better": "higher", "margin": 0, "sql": PROFIT},
    ]
    stages = [{"canary": {"share": 0.4, "for": "1 day"}}, {"shadow": {"for": "1 day"}}]
    declared = Rollout(stages=stages, checks=checks, key="customer")
    log = PredictionLog(prediction_log("small"))

    ann = {"shop": "a", "customer": "ann"}
    log.append([asked("p0", -1, ann)])
    log.append([asked(name, 1, ann, "roll.1", arm) for name, arm in (("p1", "challenger"), ("p2", "champion"))])
    log.append([asked("p3", 2, ann, "roll.2")])
    log.append([Shadow("p3", at(2), at(2), "2", "r2", "", "no", [0.7, 0.3], 9, "roll.2", "challenger")])
    log.append([Feedback("p0", at(-0.5), None, "", {"revenue": 3.0}), Feedback("p1", at(1), "yes", "", {"revenue": 5.0})])
    log.close()
    canary, shadow = (gather(small_use_case(tmp_path), declared, state, place) for place in (0, 1))
    assert canary.counts == {"challenger": 1, "champion": 1}
    assert canary.past.to_dict("index") == {"ann": {"kpi.revenue": 3.0, "count.revenue": 1}}
    (met,) = canary.where("feature.shop", "a").challenger.to_dict("records")
    assert (met["key"], met["target"], met["kpi.revenue"], met["kpi.profit"]) == ("ann", 1, 5.0, 4.0)
    assert shadow.where("feature.shop", "a").outputs(shadow.challenger).tolist() == [[0.7, 0.3]]
    assert len(shadow.where("feature.shop", "b").reference) == 0
