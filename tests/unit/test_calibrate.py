import numpy as np
import pandas as pd
import pytest

from tasks.calibrate import discrete, drift_thresholds, jensen_shannon


@pytest.mark.parametrize("values", ["many", "few", "missing"])
def test_distance_is_evidently_s_own(values):
    """Thresholds are calibrated with our distance and applied to Evidently's, so the two must be one."""
    from evidently.legacy.calculations.stattests.jensenshannon import _jensenshannon
    from evidently.legacy.core import ColumnType

    generator = np.random.default_rng(0)
    reference, window = generator.normal(size=4000), generator.normal(0.3, size=1500)
    if values == "few":
        reference, window = np.round(reference), np.round(window)
    if values == "missing":
        reference[::3] = np.nan
    theirs, _ = _jensenshannon(pd.Series(reference).dropna(), pd.Series(window).dropna(), ColumnType.Numerical, 0.1)
    both = discrete(np.concatenate([reference, window]))
    assert jensen_shannon(both[:4000], both[4000:]) == pytest.approx(theirs, abs=1e-12)


def test_categories_too():
    from evidently.legacy.calculations.stattests.jensenshannon import _jensenshannon
    from evidently.legacy.core import ColumnType

    generator = np.random.default_rng(1)
    reference, window = generator.integers(0, 9, 3000), generator.integers(0, 12, 800)
    theirs, _ = _jensenshannon(pd.Series(reference), pd.Series(window), ColumnType.Categorical, 0.1)
    assert jensen_shannon(reference, window) == pytest.approx(theirs, abs=1e-12)


def test_false_alarm_rate_is_the_stated_one():
    """400 windows of dependent days without drift: the share that raises any alarm, over eight columns."""
    generator = np.random.default_rng(2)
    rate, alarms, windows = 0.05, 0, 0

    def days(count):
        """Rows of one day share the day's weather."""
        weather = np.repeat(generator.normal(size=(count, 8)), 40, axis=0)
        return weather + generator.normal(size=weather.shape)

    for _ in range(4):
        history = days(120)
        blocks = np.repeat(np.arange(120), 40) // 5
        columns = {f"x{i}": history[:, i].astype(np.float32) for i in range(8)}
        thresholds = drift_thresholds(columns, blocks, draws=6, rate=rate)
        for _ in range(100):
            window = days(30)
            distances = {n: jensen_shannon(columns[n], window[:, i].astype(np.float32)) for i, n in enumerate(columns)}
            alarms += any(distances[n] > thresholds[n] for n in columns)
            windows += 1
    assert alarms / windows <= 2 * rate, f"{alarms} of {windows} windows raised an alarm"


def test_real_drift_is_found():
    generator = np.random.default_rng(3)
    history = {f"x{i}": generator.normal(size=4800).astype(np.float32) for i in range(8)}
    thresholds = drift_thresholds(history, np.repeat(np.arange(24), 200), draws=6, rate=0.01)
    moved = generator.normal(0.5, size=1200).astype(np.float32)
    assert jensen_shannon(history["x3"], moved) > thresholds["x3"]
