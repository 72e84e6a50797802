"""A whole look at a window, on a real bundle: nothing, drift, a broken source, no labels, one row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tasks.monitoring.performance
import tasks.monitoring.report
from configs.schema import SliceGates
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.frames import encode, model_input
from tasks.log.values import Window
from tasks.monitoring.conclude import causes
from tasks.monitoring.drift.calibrate_joint import calibrate_joint, size_class
from tasks.monitoring.drift.detect import detect_drift
from tasks.monitoring.findings import describe, told
from tasks.monitoring.performance import measure_performance
from tasks.monitoring.values import Finding, Service
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tasks.store import put_parquet
from tests.conftest import RICH, small_frame, small_use_case


@pytest.fixture(scope="module")
def joint_bound():
    """Kept for a length of windows, as the flow keeps it; the bundle is the same for all tests."""
    kept = {}

    def bound(case, bundle, size):
        if size not in kept:
            kept[size] = calibrate_joint.fn(case, bundle, size, [])
        return kept[size]

    return bound


@pytest.fixture
def look(built_bundle, built_data, joint_bound, home, tmp_path, quiet, monkeypatch):
    """Looks at a frame as at a window of the log."""
    monkeypatch.setattr(tasks.monitoring.performance, "_report", lambda *_: None)
    case = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH})
    rules = case.evaluation.model_copy(update={"slices": SliceGates(columns=["c"], min_rows=100)})
    case = case.model_copy(update={"evaluation": rules, "log": case.log.model_copy(update={"sensitive": "keep"})})
    folder = built_bundle[0]
    monkeypatch.setattr(BundleRef, "path", folder)
    version = Version(use_case="small", version="1", run_id="", bundle=BundleRef(digest="d"), golden="")
    bundle = read_bundle(folder)

    def looked(frame, labelled=1.0):
        rows = frame.drop(columns="y")
        rows["probability"] = Scorer(bundle.model, bundle.contract).outputs(model_input(encode(bundle.contract, rows)))[:, 1]
        known = np.random.default_rng(0).random(len(frame)) < labelled
        rows["target"] = (frame["y"] == "yes").astype("Int64").mask(~known)
        rows = rows.add_prefix("feature.").rename(columns={"feature.probability": "probability", "feature.target": "target"})
        rows["time"] = np.datetime64("2026-01-01")
        data = put_parquet("windows", pa.Table.from_pandas(rows, preserve_index=False))
        window = Window(use_case="small", name="w", start="0", end="9", rows=len(rows), labelled=int(known.sum()), data=data)
        looked.case, looked.window, looked.bundle = case, window, version.bundle
        joint = joint_bound(case, version.bundle, size_class(len(rows)))
        drift = detect_drift.fn(case, window, version, joint)
        performance = measure_performance.fn(case, window, version.bundle)
        service = Service(kpis={})
        found = causes(drift, performance, service)
        finding = Finding(
            use_case="small", window="w", until="2026-01-01", version="1", rows=len(rows), drift=drift,
            performance=performance, service=service, causes=list(found), alarms={}, report="http://x",
            false_alarm_rate=0.01,
        )  # fmt: skip
        assert Finding.model_validate_json(finding.model_dump_json()) == finding
        assert told(finding) in describe(finding)
        return finding

    return looked


def test_rows_like_the_reference_raise_nothing(look):
    finding = look(small_frame(rows=1500, seed=5))
    assert finding.causes == []
    performance = finding.performance
    assert performance.lower < performance.value < performance.upper
    assert performance.estimate_lower < performance.value < performance.estimate_upper
    assert {one.where for one in performance.slices} == {"c=blue", "c=green", "c=red"}
    assert all(one.lower < one.value < one.upper for one in performance.slices)
    assert sum(one.rows for one in performance.slices) == 1500
    assert "| c=blue | 0." in describe(finding)


def test_a_column_that_lost_its_information_is_told_with_its_cost(look):
    frame = small_frame(rows=1500, seed=6)
    frame["a"] *= 0.2
    finding = look(frame)
    assert "drift" in finding.causes
    assert finding.drift.columns["a"].cost > 0.01
    assert "a moved; it is estimated to cost 0." in told(finding)


def test_what_the_model_hardly_uses_is_harmless(look):
    frame = small_frame(rows=1500, seed=7)
    frame["c"] = np.random.default_rng(0).choice(["red", "green", "blue"], 1500, p=[0.8, 0.1, 0.1])
    finding = look(frame)
    assert finding.causes == []
    assert told(finding).startswith("c moved; harmless")


def test_columns_that_no_longer_go_together_are_found_though_none_of_them_moved(look):
    frame = small_frame(rows=1500, seed=12)
    frame["b"] = frame["b"].sort_values(ascending=False).to_numpy()[frame["a"].rank(method="first").astype(int) - 1]
    finding = look(frame)
    assert finding.drift.drifted == []
    assert finding.drift.joint.distance > 0.6
    assert "drift" in finding.causes
    assert "the columns moved jointly, none alone; it is estimated to cost 0." in told(finding)


def test_a_broken_source_is_told(look):
    frame = small_frame(rows=1500, seed=8)
    frame["a"] = 0.0
    finding = look(frame)
    assert finding.causes[0] == "fault"
    assert "a looks broken upstream: every value is 0" in told(finding)


def test_without_labels_the_estimate_is_told(look):
    finding = look(small_frame(rows=1500, seed=9), labelled=0.0)
    assert finding.performance.value is None
    assert "too few labels to judge (0); roc_auc estimated 0." in told(finding)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_few_rows_are_no_alarm(look, rows):
    assert look(small_frame(rows=rows, seed=10)).causes == []


def test_evidently_s_page_shows_the_scores_and_leaves_out_a_column_that_is_all_missing(look, monkeypatch):
    monkeypatch.setattr(tasks.monitoring.report, "create_link_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.monitoring.report, "report_address", str)
    frame = small_frame(rows=400, seed=11)
    frame["b"] = np.nan
    finding = look(frame)
    assert "b looks broken upstream: 100% of the values are missing" in told(finding)
    path = tasks.monitoring.report.drift_report.fn(look.case, look.window, look.bundle, finding.drift)
    page = Path(path).read_text(encoding="utf-8")
    assert "distance over its calibrated bound" in page
    assert f"{finding.drift.columns['a'].score:.3f}"[:4] in page
