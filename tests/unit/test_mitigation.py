"""Mitigation: rows weigh what the paper says, its price is measured on rows not learned from, and a rule chooses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from configs.load import faults, load_use_case
from configs.schema import UseCase
from flows.choose_mitigation import mitigated
from tasks.fairness import price_mitigation as pricing
from tasks.fairness.choose_mitigation import chosen_of
from tasks.fairness.price_mitigation import price_mitigation
from tasks.fairness.values import FairnessFound, Judged, Price
from tasks.training.fit import _weighted
from tasks.training.folds import forward_folds
from tasks.training.reweigh import reweighed
from tasks.training.try_mitigation import try_mitigation
from tasks.training.values import ChosenRecipe
from tests.conftest import SMALL, chain, small_frame, small_use_case
from tests.unit.test_verdicts import built

RULES = (
    "protected: [g], criteria: {{selection_rate: {{ratio: {ratio}}}}}, on_violation: tell, mitigation: [reweighing]{more}"
)


@given(rows=st.integers(20, 300), groups=st.integers(1, 4), classes=st.integers(2, 3), seed=st.integers(0, 99))
def test_with_the_weights_the_target_depends_on_no_group(rows, groups, classes, seed):
    dice = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": dice.integers(groups, size=rows), "h": dice.choice(["x", None], rows)})
    target, weights = dice.integers(classes, size=rows), dice.random(rows) + 0.1
    found = reweighed(frame, target, weights)
    table = frame.fillna("nothing").assign(y=target, before=weights, after=found)
    joint = table.pivot_table(index=["g", "h"], columns="y", values="after", aggfunc="sum")
    whole = table.groupby("y")["before"].sum() / weights.sum()
    expected = joint.notna() * np.outer(table.groupby(["g", "h"])["before"].sum(), whole)
    np.testing.assert_allclose(joint.fillna(0), expected, rtol=1e-9, err_msg="what is there weighs as by chance")


def grouped(rows=3000, strength=1.5):
    """`g` tells of `a`, which the model sees."""
    frame, dice = small_frame(rows=rows, seed=1), np.random.default_rng(7)
    frame["g"] = np.where(strength * frame.a + dice.normal(size=rows) > 0, "m", "f")
    return frame


@pytest.fixture
def declared(tmp_path, home, quiet, monkeypatch):
    monkeypatch.setattr(pricing, "create_table_artifact", lambda **_: None)
    monkeypatch.setattr(pricing, "RESAMPLES", 30)

    def made(ratio=0.8, more=""):
        rules = RULES.format(ratio=ratio, more=more)
        return small_use_case(tmp_path, frame=grouped(), **{"monitoring:": f"fairness: {{{rules}}}\nmonitoring:"})

    return made


def priced(case):
    snapshot, contract, parts, _ = chain(case)
    folds = forward_folds(case, parts)
    recipes = {"none": case.recipe, "reweighing": case.recipe.model_copy(update={"reweighing": ["g"]})}
    tried = {name: try_mitigation.fn(snapshot, folds, contract, recipe) for name, recipe in recipes.items()}
    return price_mitigation.fn(case, snapshot, contract, tried), parts, contract


def test_the_price_is_what_it_costs_and_gains_on_rows_before_the_holdout(declared):
    case = declared()
    (usual, weighed), parts, _ = priced(case)
    assert (usual.name, weighed.name, usual.changes) == ("none", "reweighing", [])
    assert usual.found.rows == sum(fold.stop - fold.start for fold in forward_folds(case, parts))
    metric, right, rate = weighed.changes
    assert (metric.what, right.what, rate.what) == ("roc_auc", "accuracy", "selection_rate by g")
    assert right.value == pytest.approx(weighed.right - usual.right)
    assert metric.value == pytest.approx(weighed.value - usual.value)
    assert metric.lower < metric.value < metric.upper < 0
    assert rate.value == pytest.approx(weighed.found.judged[0].gap.value - usual.found.judged[0].gap.value)
    assert 0 < rate.lower < rate.value < rate.upper


@pytest.mark.parametrize(
    ("choose", "verdicts", "taken", "why"),
    [
        ("table", ("violated", "holds"), "none", "no mitigation, until 'fairness.choose' names one"),
        ("most_accurate_that_holds", ("violated", "holds"), "reweighing", "mitigation 'reweighing', the most accurate"),
        ("most_accurate_that_holds", ("holds", "holds"), "none", "no mitigation: the usual recipe is the most accurate of"),
        (
            "most_accurate_that_holds",
            ("undecided", "violated"),
            "none",
            "no mitigation, since of none every criterion holds",
        ),
    ],
)
def test_a_rule_chooses_and_says_why(declared, choose, verdicts, taken, why):
    rules = declared().fairness.model_copy(update={"choose": choose})
    prices = [
        Price(name=name, metric="roc_auc", value=0.8, right=value, found=found(verdict))
        for name, value, verdict in zip(("none", "reweighing"), (0.8, 0.7), verdicts, strict=True)
    ]
    price, told = chosen_of(rules, prices)
    assert price.name == taken
    assert told.startswith(why)
    assert "none: roc_auc 0.8000" in told


def found(verdict):
    judged = Judged(criterion="selection_rate", measure="selection_rate", by="g", bound="", verdict=verdict, groups=[])
    return FairnessFound(favourable="yes", rows=1, confidence=0.95, comparisons=1, judged=[judged])


def test_the_chain_takes_it_records_it_and_its_graph_keeps_parity(declared, monkeypatch):
    from flows import choose_mitigation

    monkeypatch.setattr(choose_mitigation, "try_mitigation", try_mitigation.fn)
    monkeypatch.setattr(choose_mitigation, "price_mitigation", price_mitigation.fn)
    monkeypatch.setattr(choose_mitigation, "get_run_logger", lambda: __import__("logging").getLogger("test"))
    case = declared(ratio=0.3, more=", choose: most_accurate_that_holds")
    _, contract, parts, _ = chain(case)
    chosen = mitigated(case, parts, contract, ChosenRecipe(recipe=case.recipe, reason="before"))
    assert chosen.reason.startswith("before; ")
    strict = declared(ratio=0.3, more=", choose: reweighing")
    by_name = mitigated(strict, parts, contract, ChosenRecipe(recipe=strict.recipe))
    assert (by_name.recipe.reweighing, by_name.reason) == (["g"], "mitigation 'reweighing', by name")
    fixed = by_name.fixed(case)
    assert fixed.recipe == by_name.recipe, "what is recorded trains the same again"
    assert UseCase.model_validate(fixed.model_dump(mode="json")).recipe == fixed.recipe
    assert ChosenRecipe(recipe=case.recipe).fixed(case).fairness.mitigation == [], "what was not taken is not recorded"
    version, *_ = built(fixed)  # which holds the graph against scikit-learn on every holdout row
    assert version.bundle.path.is_dir()
    few = case.model_copy(update={"training": case.training.model_copy(update={"folds": 100})})
    assert "too few rows" in mitigated(few, parts, contract, ChosenRecipe(recipe=case.recipe)).reason


def test_without_the_block_all_is_what_it_was(declared, tmp_path):
    loans = load_use_case("loans")
    assert not {"mitigation", "choose"} & set(loans.model_dump(mode="json")["fairness"])
    assert "reweighing" not in loans.recipe.model_dump(mode="json")
    plain = small_use_case(tmp_path)
    chosen = ChosenRecipe(recipe=plain.recipe)
    assert mitigated(plain, None, "", chosen) is chosen
    assert chosen.fixed(loans).fairness == loans.fairness


def test_what_takes_no_weights_says_so():
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline

    with pytest.raises(InputError, match=r"fairness\.mitigation: KNeighborsClassifier takes no weights of rows; leave"):
        _weighted(Pipeline([("model", KNeighborsClassifier())]), np.ones(3), "fairness.mitigation", "leave it out")


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("mitigation: [thresholds]", "mitigation"),
        ("choose: most_accurate_that_holds", "is between mitigations; write 'mitigation: [reweighing]' beside it"),
        ("choose: reweighing", "is between mitigations"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_line(rules, told):
    text = f"fairness: {{protected: [g], criteria: {{selection_rate: {{ratio: 0.8}}}}, {rules}}}\n"
    wrong = faults(SMALL.format(path="rows.csv") + text, "small.yaml")
    assert len(wrong) == 1
    assert told in wrong[0]
