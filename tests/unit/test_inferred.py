"""Three keys are a use case: the rest is inferred from its table once, stays so, and gives way to what is declared."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from ruamel.yaml import YAML

from configs.errors import InputError
from configs.inferred import NotInferred, in_full, inferred_file, laid_under, new_columns, told_how_to_declare
from configs.load import load_use_case, parse_use_case
from console.commands.check import check as shown
from console.commands.init import init
from console.deployments import register
from tasks.data.ingest import ingest
from tasks.onboarding.check import check
from tasks.onboarding.infer import freeze, whole
from tests.conftest import chain, small_frame
from tests.unit.test_init import released


@pytest.fixture
def table(tmp_path, monkeypatch, home):
    """Writes the table, and the file of the use case beside it."""
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path))

    def write(frame=None, target="y", source="rows.csv", more=""):
        if frame is not None:
            frame.to_csv(tmp_path / "rows.csv", index=False)
        (tmp_path / "new.yaml").write_text(f"name: new\nsource: {source}\ntarget: {target}\n{more}\n")

    write(small_frame().assign(gender="f", customer_id=range(1000, 1600)))
    return write


def inferred(say=lambda _: None):
    return whole("new", say)


def failing(case):
    """How a release ends whose rows are no longer what was inferred."""
    with pytest.raises(InputError) as caught, told_how_to_declare("new"):
        chain(case)
    return str(caught.value)


def test_three_keys_go_the_whole_way(table, quiet):
    told = []
    case = inferred(told.append)
    assert (case.features.numeric, case.features.categorical, case.features.identifiers) == (
        ["a", "b"],
        ["c"],
        ["customer_id"],
    )
    assert (case.target.problem, case.target.positive, case.split.holdout) == ("binary", "yes", 0.2)
    assert case.monitoring.window.endswith("rows")
    assert 0.6 <= case.evaluation.gates[0].at_least < 0.85
    assert "binary, 1 categorical, 2 numeric features" in told[0]
    assert str(inferred_file("new")) in told[0]
    released(case)


def test_it_is_what_init_would_write(table, tmp_path):
    case = inferred()
    init(str(tmp_path / "rows.csv"), "y", "other", False, Console(file=io.StringIO()))
    ours, theirs = (each.model_dump(exclude={"name", "source"}) for each in (case, load_use_case("other")))
    assert ours == theirs


@pytest.mark.parametrize("more", ["", "split: {refit: false}", "features: {rules: {c: {nullable: true}}}"])
def test_before_the_first_release_nothing_is_kept_and_a_load_says_what_to_do(table, more):
    table(more=more)
    with pytest.raises(NotInferred, match=r"'features' and 'evaluation': not declared, .* 'slipway release new' takes it"):
        load_use_case("new")
    assert check("new", lambda _: None).problems == []
    assert not inferred_file("new").exists()


def test_new_rows_change_nothing_that_was_inferred(table):
    case = inferred()
    kept = inferred_file("new").read_bytes()
    table(small_frame(seed=1).assign(c=lambda f: f["a"].round(), b=lambda f: f["b"] > 0, y=lambda f: f["a"] * 2, late="x"))
    assert load_use_case("new") == case == inferred()
    assert inferred_file("new").read_bytes() == kept


def test_the_second_of_two_looks_finds_the_first(table):
    inferred()
    kept = inferred_file("new").stat().st_mtime_ns
    freeze("new", lambda _: pytest.fail("looked again"))
    assert inferred_file("new").stat().st_mtime_ns == kept


def test_what_is_printed_can_be_pasted_and_means_the_same(table, tmp_path, capsys):
    shown("new", Console(width=200))
    told = capsys.readouterr().out
    before = inferred()
    text = told[told.index("name: new") : told.index("600 rows: ")]
    (tmp_path / "new.yaml").write_text(text)
    inferred_file("new").unlink()
    assert load_use_case("new") == before
    assert "# - gender  # looks sensitive" in text or "one value in every row" in text


def test_what_is_declared_wins_and_the_rest_stays(table):
    before = inferred()
    table(more="split: {refit: false}\nmonitoring: {schedule: null}\nevaluation: {gates: [{metric: brier, at_most: 0.3}]}")
    case = load_use_case("new")
    assert (case.split.refit, case.monitoring.schedule, case.evaluation.gates[0].metric) == (False, None, "brier")
    assert (case.features, case.split.holdout, case.monitoring.window) == (
        *(before.features, before.split.holdout, before.monitoring.window),
    )
    table(more="features: {numeric: [a], rules: {a: {minimum: -9}}}")
    assert load_use_case("new").features.all == ["a"]
    table(more="features: {rules: {a: {minimum: -9}}}")
    assert load_use_case("new").features.all == ["c", "a", "b"]


def test_what_is_declared_before_is_what_the_rest_is_inferred_for(table):
    frame = small_frame(1200).assign(y=lambda f: np.where(f["y"] == "yes", 1, 2), day=None)
    frame["day"] = pd.date_range("2024-01-01", periods=1200, freq="6h").astype(str)
    table(frame, "{column: y, problem: regression}", more="features: {numeric: [b]}\nsplit: {holdout: 30 days}")
    case = inferred()
    assert (case.target.problem, case.evaluation.gates[0].metric, case.source.time_column) == ("regression", "r2", "day")
    assert (case.features.all, case.split.holdout.days) == (["b"], 30)
    assert case.evaluation.gates[0].at_least < 0.4, "of one column: both reach more"
    inferred_file("new").unlink()
    table(frame, source=f"{{tables: {{rows: {inferred_file('new').parents[3] / 'rows.csv'}}}, time_column: null}}")
    assert inferred().source.time_column is None


def test_a_steps_key_follows_what_was_inferred_and_what_is_declared(table):
    from types import SimpleNamespace

    from tasks.data.derive_contract import derive_contract
    from tasks.step import content_key

    def key():
        return content_key(SimpleNamespace(task=derive_contract), {"use_case": load_use_case("new"), "snapshot": "s"})

    inferred()
    before = key()
    assert key() == before
    path = inferred_file("new")
    path.write_text(path.read_text().replace("    - b  # numbers\n", ""))
    assert load_use_case("new").features.all == ["c", "a"]
    other = key()
    table(more="features: {categorical: [c], numeric: [a, b], identifiers: [customer_id]}")
    assert len({before, other}) == 2
    assert key() == before


CHANGES = {
    "vanished": (lambda f: f.drop(columns="b"), r"features: the source has no column 'b'"),
    "a number became a text": (lambda f: f.assign(b="x"), r"column 'b': must be a number, found 'x'"),
    "the target vanished": (lambda f: f.rename(columns={"y": "z"}), "target.column: the source has no column 'y'"),
    "a third answer": (lambda f: f.assign(y=["maybe", *f["y"][1:]]), r"'y' .*'maybe'"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_column_that_no_longer_fits_is_one_error_that_says_how_to_declare_it(table, quiet, change):
    case = inferred()
    changed, told = CHANGES[change]
    table(changed(small_frame().assign(customer_id=1)))
    message = failing(case)
    assert re.search(told, message), message
    assert "was inferred from the table as it was" in message
    assert "'slipway check new' prints the keys" in message
    assert "\n" not in message
    assert "'slipway check new' prints the keys" in check("new", lambda _: None).problems[0]


def test_a_time_that_no_longer_reads_is_such_an_error_too(table, quiet):
    frame = small_frame().assign(day=pd.date_range("2024-01-01", periods=600, freq="6h").astype(str))
    table(frame)
    case = inferred()
    assert case.source.time_column == "day"
    table(frame.assign(day=lambda f: ["soon", *f["day"][1:]]))
    message = failing(case)
    assert "source.time_column: 'day' has 'soon', which is no time" in message
    assert "'day' was inferred" in message


def test_a_category_that_came_later_and_numbers_as_categories_are_what_they_are_where_declared(table, quiet):
    case = inferred()
    table(small_frame().assign(c=lambda f: (f["a"] > 0).astype(int), customer_id=1))
    *_, fitted = chain(load_use_case("new"))
    assert fitted
    assert load_use_case("new") == case


def test_a_number_of_a_typed_table_that_became_a_text_is_such_an_error_too(table, quiet, tmp_path):
    small_frame().to_parquet(tmp_path / "rows.parquet")
    table(source="rows.parquet")
    case = inferred()
    small_frame().assign(b="x").to_parquet(tmp_path / "rows.parquet")
    message = failing(case)
    assert "features.numeric: column 'b', row 0" in message
    assert "'b' was inferred" in message


def test_what_only_a_query_reads_is_inferred_with_the_query(table, quiet):
    frame = small_frame(2000).assign(at=pd.date_range("2024-01-01", periods=2000, freq="2h").strftime("%d/%m/%Y %H:%M"))
    frame.loc[5, "at"] = "soon"
    table(frame)
    case = inferred()
    assert case.source.time_column == "at"
    assert 'from "rows"' in case.source.query
    released(case)


def test_a_new_column_is_told_and_left_out(table, quiet):
    inferred()
    table(small_frame().assign(gender="f", customer_id=1, extra=1.0))
    assert [told.split(" since")[0] for told in new_columns(load_use_case("new"), ["a", "extra", "y"])] == [
        "column 'extra' is new"
    ]
    found = check("new", lambda _: None)
    assert found.problems == []
    assert any("column 'extra' is new since" in line for line in found.told)
    assert ingest.fn(load_use_case("new"), None).rows == 600
    table(more="features: {numeric: [a, b, extra], categorical: [c]}")
    assert new_columns(load_use_case("new"), ["a", "extra", "y"]) == []


def test_what_is_declared_and_does_not_fit_what_was_inferred_says_where_that_stands(table):
    inferred()
    table(target="{column: y, problem: regression}")
    told = rf"new.yaml:3: 'target': 'positive' is the class of two.* was inferred: {inferred_file('new')}"
    with pytest.raises(InputError, match=told):
        load_use_case("new")
    assert re.match(told, check("new", lambda _: None).problems[0])
    table(more="splitt: {}")
    assert check("new", lambda _: None).problems == ["new.yaml:4: unknown key 'splitt'; did you mean 'split'?"]


def test_another_target_needs_another_look(table):
    inferred()
    table(target="c")
    with pytest.raises(
        InputError, match=r"'c' is another column than 'y'.* remove .*inferred.yaml to have the table looked"
    ):
        load_use_case("new")
    assert len(check("new", lambda _: None).problems) == 1
    inferred_file("new").unlink()
    assert inferred().target.problem == "multiclass"


def test_a_gate_that_says_no_leaves_it_frozen(table, quiet):
    table(small_frame().assign(a=0.5, b=lambda f: f["b"].sample(frac=1, random_state=1).to_numpy()))
    case = inferred()
    from tasks.training.evaluate import evaluate
    from tasks.training.failed import GateFailed

    _, contract, parts, fitted = chain(case)
    with pytest.raises(GateFailed):
        evaluate.fn(case, parts, contract, fitted)
    assert load_use_case("new") == case


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("featurs: {}", "new.yaml:4: unknown key 'featurs'; did you mean 'features'?"),
        ("split: {holdout: soon}", "'split.holdout': 'soon' is not a length of time"),
        ("target: {colum: y}", "not valid YAML: found duplicate key"),
    ],
)
def test_what_is_wrong_with_what_is_declared_is_told_before_any_table_is_read(table, more, told):
    table(source="nowhere.csv", more=more)
    with pytest.raises(InputError, match=told) as caught:
        inferred()
    assert not isinstance(caught.value, NotInferred)
    assert not inferred_file("new").exists()


@pytest.mark.parametrize("source", ["{database: 'sqlite://', query: select 1}", "{tables: {r: a.csv}, query: from r}"])
def test_only_a_table_as_it_stands_tells_the_rest(table, source):
    table(source=source)
    with pytest.raises(InputError, match="'features' is missing"):
        load_use_case("new")


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [("nowhere.csv", "y", "cannot read"), ("rows.csv", "yy", "no column 'yy'"), ("rows.csv", "gender", "in every row")],
)
def test_a_table_that_tells_nothing_is_one_error_and_nothing_is_kept(table, source, target, told):
    table(source=source, target=target)
    with pytest.raises(InputError, match=told):
        inferred()
    assert len(check("new", lambda _: None).problems) == 1
    assert not inferred_file("new").exists()


def test_a_damaged_file_is_told_and_a_new_init_does_not_build_on_an_old_look(table, tmp_path):
    inferred()
    with pytest.raises(InputError, match="would go on counting; remove"):
        init(str(tmp_path / "rows.csv"), "y", "new", True, Console(file=io.StringIO()))
    for text in ("name: [", "name: new\n", "name: new\n---\ncolumns: [a]\n", "--- a\n--- b\n", ""):
        inferred_file("new").write_text(text)
        with pytest.raises(InputError, match="is damaged; remove it"):
            load_use_case("new")


def test_what_was_not_released_yet_has_no_deployments_and_is_no_complaint(table):
    register(lambda told: pytest.fail(told))


def test_a_relative_path_is_one_from_the_file(table, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert inferred().source.tables == {"rows": str(tmp_path / "rows.csv")}
    for path in ("s3://b/rows.csv", "package://p/rows.csv", "~/rows.csv", "${DATA}/rows.csv", "/rows.csv"):
        assert in_full({"source": path}, tmp_path) == {"source": {"tables": {"rows": path}}}


def test_short_forms_are_the_long_ones():
    rest = "features: {numeric: [a]}\nevaluation: {gates: [{metric: roc_auc, at_least: 0.5}]}"
    short = parse_use_case(f"name: n\nsource: s3://b/r.csv\ntarget: y\n{rest}", "n.yaml")
    long = parse_use_case(f"name: n\nsource: {{tables: {{rows: s3://b/r.csv}}}}\ntarget: {{column: y}}\n{rest}", "n.yaml")
    assert short == long


WORDS = st.sampled_from(["split", "monitoring", "holdout", "window", "model"])
TREES = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.dictionaries(WORDS, TREES, max_size=4)


def leaves(tree, path=()):
    if not isinstance(tree, dict):
        return {path: tree}
    return {at: leaf for key, value in tree.items() for at, leaf in leaves(value, (*path, key)).items()}


@given(KEYS, KEYS)
def test_every_declared_leaf_stands_and_the_others_come_from_what_was_inferred(declared, inferred):
    found, ours, theirs = (leaves(each) for each in (laid_under(declared, inferred), declared, inferred))
    assert ours.items() <= found.items() or any(leaf == {} for leaf in ours.values())
    assert all(ours.get(path, theirs.get(path)) == leaf for path, leaf in found.items())
    assert laid_under(declared, laid_under(declared, inferred)) == laid_under(declared, inferred)


COLUMN = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.lists(COLUMN, min_size=1, max_size=6))
@example(["A\n"])
@example(["\x7f\x85\u2028", "\ufeff", "\uffff\n", "---", "\n---\n", "😀"])
def test_any_name_of_a_column_is_read_back_as_it_was(names):
    from configs.inferred import parse_inferred
    from tasks.onboarding.written import scalar

    text = f"target: {{column: y}}\n---\ncolumns: [{', '.join(map(scalar, names))}]\n"
    assert YAML(typ="safe").load(f"[{', '.join(map(scalar, names))}]") == names
    assert parse_inferred(text, None).columns == names


def test_another_model_replaces_the_inferred_one_with_its_parameters():
    inferred = {"model": {"estimator": "logistic_regression", "parameters": {"C": 10}}}
    for own in ({"pipeline": "mine:build"}, {"estimator": "hist_gradient_boosting"}):
        assert laid_under({"model": own}, inferred)["model"] == own
    assert laid_under({"model": {"seed": 3}}, inferred)["model"] == {**inferred["model"], "seed": 3}


def test_rules_of_columns_that_are_not_listed_any_more_go_and_identifiers_are_not_learned_from():
    inferred = {"features": {"text": ["t"], "numeric": ["a", "b"], "rules": {"t": {"sensitive": True}, "a": {"minimum": 0}}}}
    found = laid_under({"features": {"numeric": ["a"]}}, inferred)["features"]
    assert found == {"numeric": ["a"], "rules": {"a": {"minimum": 0}}}
    found = laid_under({"features": {"identifiers": ["b"]}}, inferred)["features"]
    assert (found["numeric"], found["identifiers"], found["text"]) == (["a"], ["b"], ["t"])
