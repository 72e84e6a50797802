"""What tests share: a use case small enough to read, and where the real data lies when it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from configs.load import parse_use_case
from configs.settings import TELEMETRY_OFF

os.environ.update(TELEMETRY_OFF)
# A slow, shared machine is no finding: no example is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
settings.load_profile("untimed")

SMALL = """
name: small
description: Is the sum of two numbers large?
source:
  tables: {{rows: {path}}}
target: {{column: y, positive: "yes"}}
features: {{numeric: [a, b], categorical: [c]}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.6}}]}}
monitoring: {{window: 100 rows}}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own for one test."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def quiet(monkeypatch):
    """Lets a task's function run outside a flow, where there is no log and no artifact to write to."""
    from prefect.logging import disable_run_logger

    import tasks.evaluate
    import tasks.validate

    monkeypatch.setattr(tasks.evaluate, "create_table_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.validate, "create_link_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.validate, "report_address", str)
    with disable_run_logger():
        yield


def small_frame(rows=600, seed=0):
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, rows))
    return pd.DataFrame(
        {
            "a": a,
            "b": b,
            "c": generator.choice(["red", "green", "blue"], rows),
            "y": np.where(a + b + generator.normal(size=rows) > 0, "yes", "no"),
        }
    )


def small_use_case(folder: Path, frame=None, **replace):
    """The small use case over a CSV in the folder, with some of its text replaced."""
    path = folder / "rows.csv"
    (small_frame() if frame is None else frame).to_csv(path, index=False)
    text = SMALL.format(path=path)
    for old, new in replace.items():
        text = text.replace(old, new)
    return parse_use_case(text, "small.yaml")


@pytest.fixture
def real_data():
    """The folder of real data beside the project, where it is there."""
    folder = Path(os.environ.get("SLIPWAY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set SLIPWAY_DATA")
    return folder


def pytest_report_header():
    """Whether the container parts are tested on a real engine, or, where none answers, on local processes."""
    from tasks.targets.engine import engine

    client, why = engine()
    return "Docker Engine: " + (
        client.version()["Version"] if client else f"none answers ({why}); releases run as processes"
    )
