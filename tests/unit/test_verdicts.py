"""Verdicts: on rows that neither model learned from, undecided where these are too few, and recorded as what happened."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

import tasks.training.evaluate
from configs.errors import CheckFailed
from configs.schema import Retraining
from serving.scoring.bundle import read_bundle
from tasks.data.ripe import ripe_rows
from tasks.data.row_keys import row_keys
from tasks.history import read_history, record
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.packaging.values import BundleRef
from tasks.problems.chance import slack
from tasks.registry.lineage import lineage
from tasks.registry.values import Version
from tasks.registry.verdicts import told
from tasks.training.compare import measure
from tasks.training.may_retrain import held_back, verdicts_of
from tasks.training.train import train
from tasks.training.unseen import unseen_rows
from tasks.training.values import Comparison
from tests.conftest import chain, small_frame, small_use_case
from tests.unit.test_interval import NUMBER, uneven

START = datetime(2026, 1, 1, tzinfo=UTC)
TIMED = """  time_column: at
  label_delay: 1 day
split: {holdout: 10 days}
model: {parameters: {max_iter: 20}}
"""


def dated(days, seed=0, a_day=40):
    frame = small_frame(rows=days * a_day, seed=seed)
    frame.insert(0, "at", pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(len(frame)) * 24 / a_day, unit="h"))
    return frame


def timed_case(folder, frame):
    return small_use_case(folder, frame, **{"\ntarget:": f"\n{TIMED}\ntarget:"})


def built(case, until=None, number="1"):
    """A version as a release makes it, with what it was judged on."""
    snapshot, contract, parts, candidate = chain(case, until)
    evaluation = tasks.training.evaluate.evaluate.fn(case, parts, contract, candidate)
    final = train.fn(snapshot, parts.final, contract, case.recipe)
    onnx = convert.fn(parts, contract, case.features, final)
    packed = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, until, contract, onnx))
    version = Version(use_case=case.name, version=number, run_id="", bundle=packed, golden=onnx.golden)
    return version, evaluation, parts


def without(version, *names):
    """The version as an earlier Slipway made it, which did not record these."""
    path = version.bundle.path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["lineage"] = {key: value for key, value in manifest["lineage"].items() if key not in names}
    path.write_text(json.dumps(manifest))


def moment(day):
    return START + timedelta(days=day)


def test_the_champion_is_judged_on_no_row_that_it_learned_from(home, quiet, tmp_path):
    case = timed_case(tmp_path, dated(70))
    champion, _, before = built(case, moment(50))
    _, evaluation, parts = built(case, moment(57), "2")
    verdict = measure(case, champion, evaluation, parts, "a person")
    unseen = unseen_rows(case, read_bundle(champion.bundle.path), parts)
    times = pd.read_parquet(evaluation.scores_path)["time"][unseen.rows]
    learned = pd.read_parquet(before.snapshot.path)["at"].iloc[: before.final]
    assert times.min() > learned.max() + timedelta(days=1), "its last row, and the delay of that row's label"
    assert verdict.rows == len(times) < len(unseen.rows) == parts.snapshot.rows - parts.cut
    assert not verdict.undecided


def test_without_a_time_no_refit_learns_the_rows_that_later_versions_are_judged_on(home, quiet, tmp_path):
    frame = small_frame(rows=3000)
    champion, _, before = built(small_use_case(tmp_path, frame[:2000]))
    case = small_use_case(tmp_path, frame)
    _, evaluation, parts = built(case, number="2")
    whole, later = (pd.read_parquet(each.snapshot.path) for each in (before, parts))
    assert before.final == before.cut
    assert set(whole["a"][before.cut :]) <= set(later["a"][parts.cut :])
    assert not set(whole["a"][: before.final]) & set(later["a"][parts.cut :])
    verdict = measure(case, champion, evaluation, parts, "a person")
    assert verdict.rows == parts.snapshot.rows - parts.cut, "every row of the holdout counts"
    assert verdict.rows == pytest.approx(0.2 * 3000, rel=0.15)


def test_of_equal_rows_some_are_learned_from_and_the_others_judge(home, quiet, tmp_path):
    frame = small_frame(rows=500).assign(a=lambda rows: rows.a.round(), b=0)
    frame = pd.concat([frame] * 6, ignore_index=True)  # 3,000 rows, each many times
    champion, _, _ = built(small_use_case(tmp_path, frame[:2000]))
    case = small_use_case(tmp_path, frame)
    _, _, parts = built(case, number="2")
    judged, learned = pd.read_parquet(parts.snapshot.path)[parts.cut :], pd.read_parquet(parts.snapshot.path)[: parts.cut]
    assert len(judged.merge(learned.drop_duplicates())) > 0.9 * len(judged), "the holdout is as the rest is"
    assert parts.snapshot.rows - parts.cut == pytest.approx(0.2 * 3000, rel=0.15)
    assert unseen_rows(case, read_bundle(champion.bundle.path), parts).rows.all(), "equal to learned rows, and others"

    without(champion, "learned_rows", "learned_until")  # it is taken to have learned from all 2,000
    unseen = unseen_rows(case, read_bundle(champion.bundle.path), parts).rows
    assert unseen.sum() == pytest.approx(0.2 * 1000, rel=0.25)

    wider = small_use_case(tmp_path, frame.assign(d=1))  # the keys of all rows are others now
    _, _, parts = built(wider, number="3")
    unseen = unseen_rows(wider, read_bundle(champion.bundle.path), parts).rows
    assert unseen.sum() < 0.05 * len(unseen), "what equals a learned row may be it"


def test_a_version_that_records_nothing_is_taken_to_have_learned_its_whole_snapshot(home, quiet, tmp_path):
    frame = small_frame(rows=3000)
    champion, _, _ = built(small_use_case(tmp_path, frame[:1500]))
    without(champion, "learned_rows", "learned_until")
    case = small_use_case(tmp_path, frame)
    _, evaluation, parts = built(case, number="2")
    verdict = measure(case, champion, evaluation, parts, "a person")
    assert verdict.rows == pytest.approx(0.2 * 1500, rel=0.2), "only rows that came later"
    assert "does not record what it learned from" in verdict.reason
    (parts.snapshot.path.parent / f"{read_bundle(champion.bundle.path).manifest.lineage['snapshot']}.parquet").unlink()
    verdict = measure(case, champion, evaluation, parts, "a person")
    assert verdict.undecided
    assert "nobody knows what it saw" in verdict.reason
    assert "'slipway release small' makes a version that records" in verdict.reason


def test_an_old_version_with_times_is_known_by_its_moment(home, quiet, tmp_path):
    case = timed_case(tmp_path, dated(70))
    champion, _, before = built(case, moment(50))
    without(champion, "learned_rows", "learned_until")
    _, _, parts = built(case, moment(57), "2")
    champion = read_bundle(champion.bundle.path)
    exact = unseen_rows(case, champion, parts).since
    before.snapshot.path.unlink()
    assert exact < unseen_rows(case, champion, parts).since == moment(50) < exact + timedelta(hours=2)


def test_too_few_rows_is_a_verdict_of_its_own_that_says_what_happens_then(home, quiet, tmp_path):
    case = timed_case(tmp_path, dated(70))
    champion, _, _ = built(case, moment(50))
    _, evaluation, parts = built(case, moment(53), "2")
    for cause in ("a person", "drift"):
        verdict = measure(case, champion, evaluation, parts, cause)
        assert (verdict.undecided, verdict.better) == (True, False)
        assert "The champion stays; from 2026-02-26" in verdict.reason
    again = datetime.fromisoformat(verdict.again)
    _, evaluation, parts = built(case, again + timedelta(hours=1), "3")
    assert not measure(case, champion, evaluation, parts, "a person").undecided, "then there are enough"


def test_a_holdout_that_can_never_decide_is_told(home, quiet, tmp_path):
    case = timed_case(tmp_path, dated(70))
    case = case.model_copy(update={"split": case.split.model_copy(update={"holdout": timedelta(days=3)})})
    champion, _, _ = built(case, moment(40))
    _, evaluation, parts = built(case, moment(60), "2")
    verdict = measure(case, champion, evaluation, parts, "a person")
    assert verdict.undecided
    assert "'split.holdout' never gives more than" in verdict.reason


def test_nothing_is_learned_from_labels_that_were_not_known(home, quiet, tmp_path):
    """Neither those of the last day before a live release, nor those that came when the holdout had begun."""
    now = pd.Timestamp(datetime.now(UTC).replace(tzinfo=None))
    frame = small_frame(rows=2400)
    frame.insert(0, "at", now - pd.to_timedelta(np.arange(2400)[::-1], unit="h"))
    case = timed_case(tmp_path, frame)
    snapshot, _, parts, _ = chain(case)
    times = pd.read_parquet(snapshot.path)["at"]
    assert now - timedelta(days=1, hours=2) < times.max() < now - timedelta(days=1) + timedelta(minutes=1)
    boundary = times[parts.cut]
    assert times[parts.learn - 1] + timedelta(days=1) <= boundary < times[parts.learn] + timedelta(days=1)
    assert parts.final == snapshot.rows


def test_ripe_rows_of_ties():
    times = np.array(["2026-01-01", "2026-01-01", "2026-01-02", "2026-01-02"], dtype="datetime64[ns]")
    assert [ripe_rows(times, start, timedelta(days=1)) for start in range(4)] == [0, 0, 2, 2]


def test_a_key_stays_when_a_column_gets_its_first_gap():
    import pyarrow as pa

    whole = pa.table({"a": pa.array([1, 2]), "b": ["x", "y"]})
    gaps = pa.table({"b": ["y", "x", "x"], "a": pa.array([2.0, None, 1.0])})
    assert row_keys(whole, ["a", "b"]).tolist() == row_keys(gaps, ["b", "a"])[[2, 0]].tolist()


def test_a_few_blocks_are_given_the_slack_of_a_few():
    """The gain of one week's days, with no gain at all: at 5 % it is called one in about 5 % of weeks, not in 9 %."""
    generator, called, weeks = np.random.default_rng(0), 0, 400
    blocks = np.repeat(np.arange(7), 5)
    for _ in range(weeks):
        values = generator.normal(size=7)[blocks]
        called += values.mean() > slack(blocks, lambda rows, values=values: float(values[rows].mean()), 0.95)
    assert called / weeks < 0.05 + 2 * (0.05 * 0.95 / weeks) ** 0.5


@pytest.fixture
def recorded(home, monkeypatch):
    """Runs `told` without a server, around something that may fail; returns the verdict that was kept."""
    monkeypatch.setattr("tasks.registry.verdicts.create_markdown_artifact", lambda **_: None)
    monkeypatch.setattr("tasks.registry.verdicts.tag_version", lambda *_: None)

    def run(folder, comparison, failure=None):
        challenger = Version(
            use_case="small", version="2", run_id="", bundle=BundleRef(digest="d"), golden="", tags={"until": str(START)}
        )
        with told(small_use_case(folder), None, challenger, "drift", comparison):
            assert not read_history("small", "verdict"), "nothing is said before it has happened"
            if failure:
                raise failure
        return read_history("small", "verdict")

    return run


def test_promoted_is_what_was_switched_to(recorded, tmp_path):
    (entry,) = recorded(tmp_path, Comparison(better=True, reason="better"))
    assert (entry["better"], entry["promoted"], entry["reason"]) == (True, True, "better")


def test_one_that_its_rollout_took_back_has_lost(home):
    for version in ("2", "3"):
        record("small", "verdict", "better", version=version, promoted=True, rollout=True)
    record("small", "rollout", "taken back: errors", version="3", move="failed")
    record("small", "rollout", "serves all requests", version="2", move="succeeded")
    assert [each["promoted"] for each in verdicts_of("small")] == [True, False]


def test_a_closed_gate_is_the_verdict_and_waits_like_one_that_lost(recorded, tmp_path):
    with pytest.raises(CheckFailed):
        recorded(tmp_path, Comparison(better=True, reason="better"), CheckFailed("gate load: 1 of 3 checks failed"))
    (entry,) = read_history("small", "verdict")
    assert (entry["better"], entry["promoted"]) == (True, False)
    assert entry["reason"] == "better. It does not serve: gate load: 1 of 3 checks failed"
    assert "did not come to serve" in held_back(Retraining(), [entry], START + timedelta(hours=30))


def test_a_killed_roll_out_leaves_no_verdict(recorded, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path, Comparison(better=True, reason="better"), KeyboardInterrupt())
    assert read_history("small", "verdict") == []


def test_an_undecided_verdict_waits_for_its_rows_and_doubles_nothing():
    undecided = {"until": str(START), "cause": "drift", "better": False, "undecided": True, "again": str(moment(4))}
    assert "undecided, and there are too few rows before 2026-01-05 00:00" in held_back(Retraining(), [undecided], moment(3))
    assert held_back(Retraining(), [undecided], moment(4)) is None
    lost = {"until": str(moment(-1)), "cause": "drift", "better": False}
    assert "after 1 challenger in a row" in held_back(Retraining(cooldown=timedelta(days=3)), [lost, undecided], moment(4))


def test_a_challenger_that_is_no_better_serves_where_its_intervals_hold_again(home, quiet, tmp_path):
    """The number is as good as before, and twice as uncertain: no metric that decides would ever ask for a new version."""
    more = {**NUMBER, "monitoring: {": "monitoring: {tolerance: 0.05, "}
    champion, _, _ = built(small_use_case(tmp_path, uneven(3000, 0), **more))
    case = small_use_case(tmp_path, uneven(3000, 1, factor=2.0), **more)
    _, evaluation, parts = built(case, number="2")
    verdict = measure(case, champion, evaluation, parts, "performance")
    assert verdict.better
    assert "its intervals hold" in verdict.reason
