"""What the reference's own stretches show as well is no fault, for every kind of fault; what they do not show is one."""

import numpy as np
import pandas as pd
import pytest

from tasks.columns.choose import KINDS
from tasks.monitoring.drift.faults import fault

DAYS = np.datetime64("2026-01-01") + np.arange(180).repeat(24) * np.timedelta64(1, "D")
MONTH, HOURS = np.timedelta64(30, "D"), 30 * 24
PLACE = np.arange(len(DAYS)) // 24
NOISE = np.random.default_rng(0).normal(50, 10, len(DAYS)).round(1)
NAMES = pd.Series(np.array(["jan", "feb", "mar", "apr", "may", "jun"])[PLACE // 30])


def both(window, reference, numeric):
    """The fault by the reference as a whole, and beside its own months."""
    window, reference = pd.Series(window), pd.Series(reference)
    kind = KINDS["numeric" if numeric else "categorical"]
    return fault(window, reference, kind), fault(window, reference, kind, DAYS, MONTH)


@pytest.mark.parametrize(
    ("window", "reference", "numeric"),
    [
        (np.full(HOURS, 3.0), 1.0 + PLACE // 75, True),
        (np.full(HOURS, np.nan), np.where(PLACE // 30 == 2, np.nan, NOISE), True),
        (NOISE[:HOURS] * 1000, np.where((PLACE // 30 > 0) & (PLACE // 30 < 3), NOISE * 1000, NOISE), True),
        (np.repeat(["jul", "aug"], HOURS // 2), NAMES.where(NAMES.isin(["jan", "feb"]), "spring"), False),
    ],
    ids=["a season", "a sensor that winters", "a sensor with two units", "the next months"],
)
def test_a_month_like_one_of_the_reference_is_no_fault(window, reference, numeric):
    _, beside_months = both(window, reference, numeric)
    assert beside_months is None


def test_a_season_was_taken_for_a_broken_source_before():
    alone, beside_months = both(np.full(HOURS, 3.0), 1.0 + PLACE // 75, True)
    assert alone == "every value is 3; the reference has 3 distinct ones"
    assert beside_months is None


@pytest.mark.parametrize(
    ("window", "reference", "numeric", "told"),
    [
        (np.zeros(HOURS), NOISE, True, "every value is 0"),
        (np.full(HOURS, -1.0), 1.0 + PLACE // 75, True, "every value is -1"),
        (np.zeros(HOURS), np.where(PLACE % 30 < 10, 0.0, NOISE), True, "every value is 0"),
        (np.full(HOURS, np.nan), np.where(NOISE < 55, np.nan, NOISE), True, "are missing"),
        (NOISE[:HOURS] * 1000, NOISE, True, "a thousand times larger"),
        (NAMES[:HOURS].str.upper(), NAMES, False, "renamed"),
    ],
    ids=[
        "zeros",
        "a placeholder for a season",
        "dry days, not months",
        "missing at random",
        "thousands",
        "spelling",
    ],
)
def test_what_no_month_of_the_reference_shows_is_a_fault(window, reference, numeric, told):
    alone, beside_months = both(window, reference, numeric)
    assert told in alone
    assert told in beside_months
