"""Comparing versions of each kind of answer: what is changed, what is hidden, and what does not compare."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.settings import store
from serving.log.writer import hashed
from tasks.comparing.fair_rows import AS_IT_SERVES
from tasks.comparing.sheets import sheets
from tasks.comparing.values import SideBySide
from tasks.log.keys import pepper
from tasks.problems.changes import matrix
from tests.conftest import small_frame, small_use_case
from tests.unit.test_comparing import compared, of, registered
from tests.unit.test_verdicts import built

COLOURS = {"red", "green", "blue"}
TARGET, GATE = '{column: y, positive: "yes"}', "roc_auc, at_least: 0.6"
SMALLER = {"\nmonitoring:": "\nmodel: {parameters: {max_iter: 10}}\nmonitoring:"}
SENSITIVE = {"{numeric: [a, b], categorical: [c]}": "{numeric: [a, b], categorical: [c], rules: {c: {sensitive: true}}}"}
SLICED = {"evaluation: {": "evaluation: {slices: {columns: [c], min_rows: 50, gates: []}, "}


@pytest.fixture
def pair(home, quiet, few, monkeypatch, tmp_path):
    """Two versions of a use case without a time, of a smaller and a larger table, each with its own words."""

    def made(one, other, before, after):
        first, *_ = built(small_use_case(tmp_path, one, **SMALLER, **before))
        case = small_use_case(tmp_path, other, **SMALLER, **after)
        second, _, parts = built(case, number="2")
        chosen = [registered(first), registered(second)]
        return compared(monkeypatch, case, chosen), case, parts, chosen

    return made


def test_without_a_time_nobody_has_learned_the_holdout(pair):
    frame = small_frame(rows=3000)
    found, _, parts, _ = pair(frame[:2000], frame, {}, SLICED)
    assert found.basis.by == {"1": AS_IT_SERVES, "2": AS_IT_SERVES}
    assert found.basis.rows == parts.snapshot.rows - parts.cut
    slices = {each.where: each for each in found.measured if each.where != "all"}
    assert set(slices) == {"c=red", "c=green", "c=blue"}
    assert sum(each.rows for each in slices.values()) == found.basis.rows
    (changed,) = found.changed
    counts = np.array(changed.picture.counts)
    assert changed.picture.labels == ["no", "yes"]
    assert counts.sum() == found.basis.rows
    assert changed.differ == counts.sum() - np.trace(counts)
    rows = pd.read_parquet(parts.snapshot.path)
    for each in changed.most:
        assert each.label == rows["y"][each.row]
        assert each.values["a"] == pytest.approx(rows["a"][each.row], rel=1e-6)
        assert each.apart == pytest.approx(abs(each.after.score - each.before.score), abs=1e-6)
    assert [each.apart for each in changed.most] == sorted((each.apart for each in changed.most), reverse=True)
    assert len(changed.most) == 10


def test_who_asks_a_person_is_a_change_like_any(pair):
    frame = small_frame(rows=3000)
    found, *_ = pair(frame, frame[:2500], {}, {TARGET: '{column: y, positive: "yes", confidence: 0.8}'})
    picture = found.changed[0].picture
    assert picture.labels == ["no", "yes", "(a person)"]
    assert sum(picture.counts[2]) == 0, "the first never does"
    assert found.changed[0].differ > 100
    assert of(found, "abstention").values["1"] is None
    assert of(found, "abstention").values["2"].value > 0.1


def test_sensitive_columns_stand_as_the_log_has_them(pair, monkeypatch):
    frame = small_frame(rows=2000)
    _, case, _, chosen = pair(frame[:1500], frame, {}, SENSITIVE)  # one of them marks it, so it is hidden
    hashes = {hashed(colour, pepper(case.name).encode()) for colour in COLOURS}
    for policy, shown in (("hash", hashes), ("omit", {"(left out)"}), ("keep", COLOURS)):
        asked = case.model_copy(update={"log": case.log.model_copy(update={"sensitive": policy})})
        found = compared(monkeypatch, asked, chosen)
        assert {each.values["c"] for each in found.changed[0].most} <= shown
        page = Path(found.page).read_text(encoding="utf-8")
        assert any(f"c {colour}" in page for colour in COLOURS) == (policy == "keep")


def several(rows, classes, seed=0):
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, rows))
    y = np.array(classes)[np.clip(((a + 2) / 4 * len(classes)).astype(int), 0, len(classes) - 1)]
    return pd.DataFrame({"a": a, "b": b, "c": generator.choice(["red", "green"], rows), "y": y})


def test_several_classes_of_which_one_is_new(pair):
    words = {
        '{column: y, positive: "yes"}': "{column: y, problem: multiclass}",
        "roc_auc, at_least: 0.6": "accuracy, at_least: 0.3",
    }
    new = several(3000, ["ash", "birch", "cedar"])
    found, *_ = pair(new[new["y"] != "cedar"].reset_index(drop=True), new, words, words)
    picture = found.changed[0].picture
    assert picture.labels == ["ash", "birch", "cedar"]
    assert sum(row[2] for row in picture.counts) > 0
    assert sum(picture.counts[2]) == 0, "the first does not know it"
    assert of(found, "accuracy").gains[0].estimate.lower > 0


def test_of_many_classes_the_most_frequent_changes_are_shown():
    labels = [f"class {number:02}" for number in range(20)]
    before = np.repeat(np.array(labels, dtype=object), 10)
    after = before.copy()
    after[:4], after[195:198], after[100] = labels[1], labels[0], labels[2]
    found = matrix(labels, before, after)
    heads, rows = found.table("v1", "v2")
    assert heads == ["v1 said", "v2 says", "rows"]
    assert rows == [["class 00", "class 01", 4], ["class 19", "class 00", 3], ["class 10", "class 02", 1]]
    assert np.sum(found.counts) == 200


def test_numbers_with_and_without_an_interval(pair):
    plain = {
        '{column: y, positive: "yes"}': "{column: y, problem: regression, interval: null}",
        "roc_auc, at_least: 0.6": "r2, at_least: 0.1",
    }
    wide = {**plain, '{column: y, positive: "yes"}': "{column: y, problem: regression}"}
    frame = small_frame(rows=3000).assign(y=lambda rows: 3 * rows.a + rows.b)
    found, *_ = pair(frame[:2000], frame, plain, wide)
    assert of(found, "coverage").values["1"] is None
    assert of(found, "coverage").values["2"].value == pytest.approx(0.9, abs=0.05)
    (changed,) = found.changed
    assert sum(changed.picture.counts) == found.basis.rows
    kept = pd.read_parquet(store("answers") / f"{found.basis.answers}.parquet")
    one, other = (np.stack(kept[f"version {number}"].to_list())[:, 0] for number in "12")
    assert changed.picture.mean == pytest.approx((other - one).mean())
    assert changed.picture.quantiles["median"] == pytest.approx(np.median(other - one))
    assert changed.most[0].apart > 0, "the number counts where the interval of one is not known"
    assert isinstance(changed.most[0].after.said, float)


def test_versions_that_answer_different_questions_do_not_compare(pair):
    frame = small_frame(rows=2000)
    number = {
        '{column: y, positive: "yes"}': "{column: b, problem: regression, interval: null}",
        "[a, b]": "[a]",
        "roc_auc, at_least: 0.6": "r2, at_least: -9",
    }
    found, *_ = pair(frame, frame, {}, number)
    assert (
        "they answer different questions: version 1 answers 'y' as binary (no, yes); version 2 answers 'b' as regr"
        in found.basis.told
    )
    assert [each.version for each in found.own] == ["1", "2"]
    assert "roc_auc" in found.own[0].metrics
    assert "r2" in found.own[1].metrics


def test_a_version_that_refuses_a_row_is_told(pair):
    frame = small_frame(rows=2000)
    strict = {"categorical: [c]}": "categorical: [c], rules: {a: {maximum: 0.5}}}"}
    found, *_ = pair(frame[frame["a"] < 0.5].reset_index(drop=True), frame, strict, {})
    assert "version 1 refuses rows of snapshot" in found.basis.told
    assert "above" in found.basis.told or "0.5" in found.basis.told


def test_groups_are_shown_for_each_version_with_intervals_and_what_changed(pair, home):
    """The first answers both groups by `a` alone; the second knows the group, and holds it against one of them."""
    frame = small_frame(rows=3000)
    frame["g"] = np.where(np.random.default_rng(1).random(3000) < 0.5, "f", "m")
    unfair = frame.assign(y=np.where((frame["g"] == "f") & (frame["a"] < 1), "no", frame["y"]))
    rules = "{protected: [g], criteria: {selection_rate: {ratio: 0.8}}, on_violation: tell}"
    fair = {"monitoring:": f"fairness: {rules}\nmonitoring:"}
    known = {"categorical: [c]": "categorical: [c, g]"}
    found, *_ = pair(frame, unfair, {}, {**fair, **known})
    assert list(found.groups.found) == ["1", "2"]
    before, after = (each.judged[0] for each in found.groups.found.values())
    assert (before.verdict, after.verdict) == ("holds", "violated")
    (female, male) = found.groups.gains
    assert (female.group, male.group) == ("f", "m")
    (gain,) = female.gains
    difference = after.groups[0].value - before.groups[0].value
    assert gain.estimate.value == pytest.approx(difference)
    assert gain.estimate.upper < 0
    assert male.gains[0].estimate.lower < 0.05
    gaps, numbers = (sheet for sheet in sheets(found) if sheet.title.startswith("Fairness"))
    assert gaps.rows[0][-1].endswith(", violated")
    assert numbers.heads == ["by", "group", "measure", "v1", "v2", "gain v1 → v2"]
    assert numbers.rows[0][:3] == ["g", "f", "selection_rate"]
    assert SideBySide.model_validate_json(found.model_dump_json()) == found
    page = Path(found.page).read_text(encoding="utf-8")
    assert numbers.rows[0][3] in page
