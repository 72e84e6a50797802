"""Dates and times of a table that nobody has described: features, but not what orders the rows, nor what is known later."""

import numpy as np
import pandas as pd
import pytest

from tasks.onboarding.check import check
from tests.unit.test_init import configs, released, started  # noqa: F401 a fixture


def orders(rows=900, seed=0):
    """Of which those that a young account makes at night are returned."""
    dice = np.random.default_rng(seed)
    created = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(dice.integers(0, 200 * 24 * 60, rows)), "min")
    asked = pd.Timestamp("2024-01-01") + pd.to_timedelta(dice.integers(0, 300 * 24 * 60, rows), "min")
    return pd.DataFrame(
        {
            "created_at": created,
            "signed": asked,
            "closed": created + pd.to_timedelta(dice.integers(1, 999, rows), "h"),
            "seen": [f"{at:%d.%m.%Y}" for at in asked],
            "a": dice.normal(size=rows),
            "y": np.where((asked.hour < 8) ^ (dice.random(rows) < 0.1), "yes", "no"),
        }
    )


@pytest.mark.parametrize("kind", ["csv", "parquet", "parquet of texts"])
def test_moments_go_in_but_not_the_row_s_own_nor_later_ones(configs, home, quiet, tmp_path, kind):  # noqa: F811
    frame = orders()
    path = tmp_path / f"rows.{kind.split()[0]}"
    if kind == "parquet":
        frame.to_parquet(path)
    else:
        frame = frame.assign(signed=frame["signed"].dt.strftime("%Y-%m-%d %H:%M:%S+00:00"))
        frame.loc[[3, 5], "signed"] = ["n/a", "unknown"]
        frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    _, case = started(path, "y")
    assert (case.source.time_column, case.features.datetime, case.features.numeric) == ("created_at", ["signed"], ["a"])
    assert case.source.missing == (["unknown"] if kind == "csv" else [])
    assert ("try_cast" in (case.source.query or "")) == (kind == "parquet of texts")
    written = (configs / "new.yaml").read_text()
    assert "    # - created_at  # says when a row happens: the order that is learned and judged in" in written
    assert "    # - closed  # later than 'created_at' in 100% of its rows: a leak, unless it is known" in written
    assert (
        "  # seen: text that reads as a time, and not as ISO 8601 alone: read it in 'source.query', as strptime" in written
    )
    released(case)
    assert check("new", lambda _: None).problems == []


def test_a_time_that_is_all_there_is_goes_in_and_orders_too(configs, home, quiet, tmp_path):  # noqa: F811
    orders()[["signed", "y"]].to_csv(tmp_path / "rows.csv", index=False)
    _, case = started(tmp_path / "rows.csv", "y")
    assert (case.source.time_column, case.features.all) == ("signed", ["signed"])
    released(case)
