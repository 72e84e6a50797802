"""Columns may be called what a function calls its own arguments."""

import numpy as np
import pandas as pd
import pytest

from tasks.columns.choose import NUMBERS
from tasks.monitoring.drift.damage import costs

NAMES = ["self", "other", "inplace", "columns", "index", "axis"]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_drift_costs_is_known_of_any_column(name):
    generator = np.random.default_rng(0)
    reference = pd.DataFrame({name: generator.normal(size=500), "b": generator.normal(size=500)})
    window = reference.assign(b=0.0)
    window[name] = window[name] + 1
    found = costs([name], {name: NUMBERS}, window, reference, "roc_auc", lambda frame: float(frame[name].mean()))
    assert found == {name: pytest.approx(-1.0, abs=0.1)}
