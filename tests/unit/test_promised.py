"""A metric with a bound that somebody was promised: judged by labels, missed only where chance does not explain it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from configs.schema import Objective
from serving.contract.contract import Contract, contract_json
from tasks.log.values import Window
from tasks.monitoring.service import measure_service
from tasks.problems.metrics import BINARY, MULTICLASS, REGRESSION
from tasks.problems.multiclass import Multiclass
from tasks.problems.regression import Regression
from tasks.store import put, put_parquet
from tests.conftest import small_use_case

DAYS = np.datetime64("2026-01-01") + np.repeat(np.arange(10), 50) * np.timedelta64(1, "D")


def window(target, probability):
    frame = pd.DataFrame(
        {"time": DAYS, "latency_us": 100, "prediction": "yes", "target": target, "probability": probability}
    )
    data = put_parquet("windows", pa.Table.from_pandas(frame.astype({"target": "Int64"}), preserve_index=False))
    span = {"start": "2026-01-01T00:00:00", "end": "2026-01-11T00:00:00"}
    whole = Window(use_case="small", name="w", **span, rows=len(DAYS), labelled=0, data=data)
    contract = put("contracts", ".json", contract_json(Contract("small", (), "y", ("no", "yes"))))
    return whole.model_copy(update={"parts": [whole.model_copy(update={"version": "1", "contract": contract})]})


def with_objectives(folder, rate, *targets):
    case = small_use_case(folder)
    rules = {"objectives": list(targets), "false_alarm_rate": rate, "min_labels": 100}
    return case.model_copy(update={"monitoring": case.monitoring.model_copy(update=rules)})


def scored(generator, right):
    """Rows half of which are positive, answered rightly as often as stated."""
    target = generator.random(len(DAYS)) < 0.5
    correct = generator.random(len(DAYS)) < right
    return target.astype(float), np.where(target == correct, 0.8, 0.2)


def test_a_promised_metric_is_missed_with_its_number_and_an_interval(home, tmp_path, quiet):
    target, probability = scored(np.random.default_rng(0), 0.7)
    case = with_objectives(tmp_path, 0.01, *(Objective(metric=name, at_least=0.9) for name in ("f1", "precision", "recall")))
    found = measure_service.fn(case, window(target, probability))
    for name in ("f1", "precision", "recall"):
        kpi = found.kpis[f"metric {name}"]
        assert kpi.value == pytest.approx(
            BINARY[name].value(target, probability), abs=0.02
        )  # labelled rows are weighted by score
        assert kpi.lower < kpi.value < kpi.upper
        assert f"metric {name} {kpi.value:.4g}, objective at least 0.9" in found.missed.values()


def test_a_promise_that_holds_by_a_hair_alarms_no_more_often_than_stated(home, tmp_path, quiet):
    """The true accuracy is the bound itself; the rate of all targets is a sixth of 12 %."""
    generator, windows = np.random.default_rng(1), 200
    case = with_objectives(tmp_path, 0.12, Objective(metric="accuracy", at_least=0.7))
    missed = [bool(measure_service.fn(case, window(*scored(generator, 0.7))).missed) for _ in range(windows)]
    assert sum(missed) <= 12  # 4 are expected; resampled days are a little narrow


def test_before_its_labels_come_nothing_is_missed(home, tmp_path, quiet):
    target, probability = scored(np.random.default_rng(2), 0.5)
    case = with_objectives(tmp_path, 0.01, Objective(metric="f1", at_least=0.99))
    few = np.where(np.arange(len(DAYS)) < 99, target, np.nan)
    found = measure_service.fn(case, window(few, probability))
    assert found.missed == {}
    assert "metric f1" not in found.kpis


def test_a_target_is_a_kpi_or_a_metric():
    with pytest.raises(ValueError, match="give one of 'kpi' and 'metric'"):
        Objective(kpi="cost", metric="f1", at_least=1)
    with pytest.raises(ValueError, match="give one of 'kpi' and 'metric'"):
        Objective(at_least=1)


def test_versions_with_other_classes_are_judged_by_the_names_of_classes():
    three, two = (Contract("small", (), "y", names, problem="multiclass") for names in (("a", "b", "c"), ("b", "d")))
    before = np.array([0.0, 2.0, np.nan]), np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [1.0, 0.0, 0.0]])
    after = np.array([0.0, 1.0]), np.array([[0.7, 0.3], [0.9, 0.1]])
    target, output = Multiclass().together([before, after], [three, two])
    assert target.tolist() == pytest.approx([0, 2, np.nan, 1, 3], nan_ok=True)
    assert output[3:].tolist() == [[0, 0.7, 0, 0.3], [0, 0.9, 0, 0.1]]
    assert MULTICLASS["accuracy"].value(target[~np.isnan(target)], output[~np.isnan(target)]) == 0.75


def test_of_versions_with_and_without_intervals_the_numbers_are_judged_together():
    plain = Contract("small", (), "y", (), problem="regression")
    within = Contract("small", (), "y", (), problem="regression", interval=0.9)
    rows = [(np.array([1.0]), np.array([2.0])), (np.array([5.0, 5.0]), np.array([[4.0, 3, 6], [4.0, 3.5, 4.5]]))]
    target, judged = Regression().together(rows, [plain, within])
    assert REGRESSION["mae"].value(target, judged) == 1.0
    assert REGRESSION["coverage"].value(target, judged) == 0.5
