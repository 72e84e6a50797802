"""Where values lie is seen as well as how they spread: a small shift of one column, at the stated rate of false alarms."""

import numpy as np
import pandas as pd

from tasks.columns.bins import bins_of_numbers
from tasks.columns.choose import KINDS, NUMBERS
from tasks.monitoring.drift.evidence import Evidence
from tasks.monitoring.drift.null import calibrate

ROWS = 500
KINDS_OF = {**dict.fromkeys(["age", "income", "gain"], NUMBERS), "stage": KINDS["categorical"]}


def people(generator, rows):
    """A number that a category tells much of, one of its own, one that is mostly zero, and a category."""
    stage = generator.integers(0, 4, rows)
    age = 20 + 12 * stage + generator.gamma(4, 3, rows)
    gain = np.where(generator.random(rows) < 0.95, 0, generator.lognormal(7, 1, rows)).round()
    return pd.DataFrame({"age": age, "income": generator.normal(size=rows), "gain": gain, "stage": [f"s{n}" for n in stage]})


def highest(reference, windows):
    evidence = Evidence(reference, KINDS_OF)
    calibration, before = calibrate(evidence, reference, None, ROWS, 0.05, (1, 1)), evidence.sums(reference)
    return [calibration.scores(evidence, evidence.between(evidence.sums(window), before)[0]) for window in windows]


def test_a_small_shift_of_a_column_is_found_and_named():
    """A fifth of its deviation, in windows of 500 rows."""
    generator = np.random.default_rng(0)
    reference = people(generator, 10_000)
    windows = [people(generator, ROWS) for _ in range(20)]
    by = 0.2 * reference["age"].std()
    found = highest(reference, [window.assign(age=window["age"] + by) for window in windows])
    named = [max(scores, key=scores.get) == "age" and scores["age"] > 1 for scores in found]
    assert sum(named) >= 18


def test_windows_without_drift_alarm_as_often_as_stated():
    generator, alarms = np.random.default_rng(1), 0
    for _ in range(2):
        found = highest(people(generator, 5000), [people(generator, ROWS) for _ in range(60)])
        alarms += sum(max(scores.values()) > 1 for scores in found)
    assert alarms <= 14  # 6 of 120 are expected; a binomial with 5 % is above 12 in one of 200 runs


def test_a_column_that_is_mostly_zero_has_bins_for_what_is_not():
    values = people(np.random.default_rng(2), 10_000)["gain"]
    codes = bins_of_numbers(values).codes(values)
    assert len(np.unique(codes[values > 0])) > 10
    assert len(np.unique(codes[values == 0])) == 1


def test_few_rows_and_columns_without_values_are_compared_too():
    reference = people(np.random.default_rng(3), 40).assign(empty=np.nan)
    evidence = Evidence(reference, {**KINDS_OF, "empty": NUMBERS})
    calibration = calibrate(evidence, reference, None, 10, 0.05, (1, 1))
    window = people(np.random.default_rng(4), 10).assign(empty=[1.0] * 9 + [np.inf])
    scores = calibration.scores(evidence, evidence.between(evidence.sums(window), evidence.sums(reference))[0])
    assert scores["empty"] > 1
    assert np.isfinite(list(scores.values())).all()
