"""Constrained training and thresholds: what is searched for helps on rows that were not looked at, and converts exactly."""

from logging import getLogger

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from configs.fairness import Criteria, Fairness, Tolerance
from configs.load import faults
from configs.schema import UseCase
from flows import choose_mitigation
from flows.choose_mitigation import candidates_of, mitigated
from serving.contract.heads.choose import head_of
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.data.groups import groups_of
from tasks.data.measures import Outcomes
from tasks.fairness import price_mitigation as pricing
from tasks.fairness.choose_mitigation import chosen_of
from tasks.fairness.find_threshold import find_threshold, threshold_of
from tasks.fairness.price_mitigation import price_mitigation
from tasks.packaging.convert import convert
from tasks.packaging.explain import explain
from tasks.packaging.many_rows import outputs_of
from tasks.training.alike import strength
from tasks.training.constrain import LEAST, _costs, _lesson, constrained
from tasks.training.fitted import load
from tasks.training.folds import forward_folds
from tasks.training.threshold import moved
from tasks.training.train import train
from tasks.training.try_mitigation import try_mitigation
from tasks.training.values import ChosenRecipe
from tests.conftest import SMALL, chain, small_use_case
from tests.unit.test_mitigation import grouped
from tests.unit.test_verdicts import built

QUICK = {
    "hist_gradient_boosting": "{max_iter: 15}",
    "logistic_regression": "{}",
    "random_forest": "{n_estimators: 10}",
    "lightgbm": "{n_estimators: 15}",
    "xgboost": "{n_estimators: 15}",
}
FOUR_FIFTHS = Fairness(protected=["g"], criteria=Criteria(selection_rate=Tolerance(ratio=0.8)), may_cost=0.2)
ODDS = Fairness(protected=["g"], criteria=Criteria(equalised_odds=Tolerance(difference=0.1)), may_cost=0.2)


@pytest.fixture
def declared(tmp_path, home, quiet, monkeypatch):
    monkeypatch.setattr(pricing, "create_table_artifact", lambda **_: None)
    monkeypatch.setattr(pricing, "RESAMPLES", 30)
    monkeypatch.setattr(choose_mitigation, "try_mitigation", try_mitigation.fn)
    monkeypatch.setattr(choose_mitigation, "find_threshold", find_threshold.fn)
    monkeypatch.setattr(choose_mitigation, "price_mitigation", price_mitigation.fn)
    monkeypatch.setattr(choose_mitigation, "get_run_logger", lambda: getLogger("test"))

    def made(
        more,
        estimator="hist_gradient_boosting",
        rows=2000,
        criteria="selection_rate: {ratio: 0.8}",
        mitigation="[threshold]",
    ):
        rules = f"protected: [g], criteria: {{{criteria}}}, on_violation: tell, mitigation: {mitigation}{more}"
        model = f"model: {{estimator: {estimator}, parameters: {QUICK[estimator]}}}"
        return small_use_case(
            tmp_path, frame=grouped(rows, strength=1.0), **{"monitoring:": f"fairness: {{{rules}}}\n{model}\nmonitoring:"}
        )

    return made


@given(
    rows=st.integers(80, 300),
    groups=st.integers(2, 4),
    strengths=st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3),
    rules=st.sampled_from([FOUR_FIFTHS, ODDS]),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_a_multiplier_is_what_the_answer_to_a_row_costs_its_group(rows, groups, strengths, rules, seed):
    dice = np.random.default_rng(seed)
    turned, of = dice.integers(2, size=rows), dice.choice([*"abcd"[:groups], None], rows)
    costs = _costs(rules, turned, {"g": of})
    plain = _lesson(turned, costs.values(), np.zeros(len(costs)))
    assert (plain.favourable == turned).all()
    assert (plain.weights == 1).all(), "without any a row costs 1"
    for name, added in costs.items():
        group, event = name[-1], "label=1" if "label=1" in name else "label=0" if "label=0" in name else ""
        inside = (turned == int(event[-1])) if event else np.ones(rows, dtype=bool)
        assert (added[(of == group) & inside] > 0).all(), "in the group the favourable answer is the cheaper one"
        assert (added[(of != group) | ~inside] <= 0).all()
        assert (added[(of == None) | ~inside] == 0).all(), "of rows without a group nothing is said"  # noqa: E711
        assert np.abs(added).max() == 1
        assert added.sum() == pytest.approx(0, abs=1e-9), "a classifier that answers all alike pays nothing"
    multipliers = np.resize(strengths, len(costs))
    lesson = _lesson(turned, costs.values(), multipliers)
    signed = np.where(turned, 1, -1) + sum(each * added for each, added in zip(multipliers, costs.values(), strict=True))
    np.testing.assert_allclose(lesson.weights * (2 * lesson.favourable - 1), signed, atol=1e-12)


def test_a_group_that_is_too_small_is_not_weighed():
    turned = np.tile([0, 1], 100)
    of = np.repeat(["a", "b", "c"], [100, 100 - 2 * (LEAST - 1), 2 * (LEAST - 1)])
    assert [name[-1] for name in _costs(FOUR_FIFTHS, turned, {"g": of})] == ["b"]
    with pytest.raises(InputError, match=r"'constrained': of no protected column do two groups have 5 rows of "):
        constrained(FOUR_FIFTHS, turned, {"g": np.repeat(["a", "b"], [192, 8])}, None, None)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(5, 95))
def test_a_moved_threshold_is_one_half_and_rows_keep_their_order(chances, percent):
    chance, threshold = np.array(sorted(chances)), percent / 100
    found = moved(np.column_stack([1 - chance, chance]), threshold)
    clear = np.abs(chance - threshold) > 1e-12
    assert (found.argmax(axis=1) == (chance > threshold))[clear].all()
    assert (np.diff(found[:, 1]) >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_nobody_is_treated_alike_by_answering_nobody_favourably():
    """One in fifteen is favourable, so denying everybody costs less than it may."""
    dice = np.random.default_rng(0)
    groups = {"g": dice.choice(["a", "b"], 6000, p=[0.7, 0.3])}
    chance = np.clip(dice.beta(0.4, 4, 6000) * np.where(groups["g"] == "a", 1.2, 0.8), 0, 1)
    turned = dice.random(6000) < chance
    rules = FOUR_FIFTHS.model_copy(update={"may_cost": 0.2})
    usually, now = (chance > 0.5).sum(), (chance > threshold_of(rules, chance, turned, groups, True)).sum()
    assert usually / 2 <= now <= usually * 2


def test_where_no_two_groups_can_be_compared_the_threshold_stays():
    chance = np.linspace(0, 1, 100)
    few = {"g": np.array(["a"] * 98 + ["b"] * 2)}
    rules = FOUR_FIFTHS.model_copy(update={"least": 50})
    assert threshold_of(rules, chance, chance > 0.3, few, True) == 0.5


@given(
    rows=st.integers(60, 200), may_cost=st.sampled_from([0.01, 0.05, 0.2]), positive=st.booleans(), seed=st.integers(0, 99)
)
@settings(deadline=None)
def test_a_threshold_costs_no_more_than_it_may_and_leaves_no_group_farther_apart(rows, may_cost, positive, seed):
    dice = np.random.default_rng(seed)
    chance, groups = dice.random(rows), {"g": dice.choice(["a", "b"], rows)}
    turned = (dice.random(rows) < chance) == positive
    rules = FOUR_FIFTHS.model_copy(update={"may_cost": may_cost})

    def at(threshold):
        return strength(rules, Outcomes(((chance > threshold) == positive).astype(float), turned.astype(float)), groups)

    found = at(threshold_of(rules, chance, turned, groups, positive))
    assert found.right >= at(0.5).right - may_cost
    assert found.apart <= at(0.5).apart


@pytest.mark.parametrize("criteria", ["selection_rate: {ratio: 0.8}", "equalised_odds: {difference: 0.05}"])
def test_what_is_constrained_is_more_alike_on_rows_that_nobody_looked_at(declared, criteria):
    case = declared(", may_cost: 0.2", "logistic_regression", 6000, criteria, "[constrained]")
    snapshot, contract, parts, plain = chain(case)
    held = train.fn(snapshot, parts.learn, contract, case.recipe.mitigated("constrained", case.fairness))
    columns, frame = contract_of(contract), read_rows(snapshot, parts.cut, snapshot.rows)
    turned, groups = (frame["y"] == "yes").to_numpy(), groups_of({"g": frame["g"]}, together=False)
    before, after = (
        strength(case.fairness, Outcomes(_answered(fitted, columns, case, frame), turned.astype(float)), groups)
        for fitted in (plain, held)
    )
    assert after.apart < 0.6 * before.apart
    assert after.right > before.right - 0.25


def _answered(fitted, columns, case, frame):
    chances = load(fitted).predict_proba(encode(columns, frame)[case.features.all])
    return chances.argmax(axis=1).astype(float)


@pytest.mark.parametrize("estimator", QUICK)
def test_every_family_converts_and_gives_exact_reasons(declared, estimator):
    case = declared(", may_cost: 0.2", estimator, 1200, mitigation="[constrained, threshold]")
    snapshot, contract, parts, plain = chain(case)
    for recipe in (case.recipe.mitigated("constrained", case.fairness), case.recipe.model_copy(update={"threshold": 0.3})):
        fitted = train.fn(snapshot, parts.learn, contract, recipe)
        onnx = convert.fn(parts, contract, case.features, fitted)  # raises where a row differs
        assert onnx.max_difference < 1e-5
        assert explain.fn(parts, contract, recipe, fitted) is not None  # raises where they do not add up
    columns, frame = contract_of(contract), read_rows(snapshot, parts.cut, snapshot.rows)
    encoded = encode(columns, frame)[case.features.all]
    usual, low = (load(each).predict_proba(encoded)[:, 1] for each in (plain, fitted))
    assert ((low > 0.5) == (usual > 0.3)).all()


def test_a_served_label_follows_the_threshold(declared):
    case = declared(", choose: threshold, threshold: 0.3")
    assert case.recipe.threshold == 0.3
    version, evaluation, parts = built(case)
    folder = version.bundle.path
    bundle = read_bundle(folder)
    frame = read_rows(parts.snapshot, parts.cut, parts.snapshot.rows)
    encoded = encode(bundle.contract, frame)[case.features.all]
    chance = load(train.fn(parts.snapshot, parts.final, evaluation.contract, case.recipe)).model.predict_proba(encoded)[:, 1]
    scorer = Scorer((folder / "model.onnx").read_bytes(), bundle.contract)
    answers, _ = head_of(bundle.contract).answer(outputs_of(scorer, model_input(encoded)))
    assert answers == ["yes" if each > 0.3 else "no" for each in chance]
    assert len(set(answers)) == 2
    assert (
        "answered above a probability of 0.3; its odds are told against 0.3 to 0.7: one half is there"
        in (folder / "card.md").read_text()
    )


def test_the_price_of_each_is_told_of_rows_that_it_was_not_fitted_to_and_a_rule_takes_one(declared):
    case = declared(", may_cost: 0.1, choose: most_accurate_that_holds", mitigation="[reweighing, constrained, threshold]")
    _, contract, parts, _ = chain(case)
    folds = forward_folds(case, parts)
    candidates = candidates_of(case, parts.snapshot, folds, contract, case.recipe)
    assert list(candidates) == ["none", "reweighing", "constrained", "threshold"]
    assert len({each.scores for each in candidates.values()}) == 4
    scores = {name: each.scores for name, each in candidates.items()}
    usual, *others = price_mitigation.fn(case, parts.snapshot, contract, scores)
    for each in others:
        assert [change.what for change in each.changes] == ["roc_auc", "accuracy", "selection_rate by g"]
        assert each.changes[2].value > 0, f"{each.name} leaves groups more alike"
    best, why = chosen_of(case.fairness, [usual, *others])
    assert best.right == max((each.right for each in (usual, *others) if each.found.verdict == "holds"), default=usual.right)
    assert f"{usual.right:.1%} right" in why
    strict = declared(", choose: threshold, may_cost: 0.1")
    taken = mitigated(strict, parts, contract, ChosenRecipe(recipe=strict.recipe))
    assert taken.recipe == candidates["threshold"].recipe, "the same rows find the same"
    assert taken.reason == f"mitigation 'threshold', by name; threshold {taken.recipe.threshold:g}"
    fixed = taken.fixed(strict)
    assert fixed.fairness.threshold == taken.recipe.threshold, "what is recorded is not searched for again"
    assert UseCase.model_validate(fixed.model_dump(mode="json")).recipe == taken.recipe
    assert mitigated(fixed, parts, contract, ChosenRecipe(recipe=fixed.recipe)).recipe == taken.recipe
    held = ChosenRecipe(recipe=candidates["constrained"].recipe).fixed(case)
    assert UseCase.model_validate(held.model_dump(mode="json")).recipe == candidates["constrained"].recipe
    few = strict.model_copy(update={"training": strict.training.model_copy(update={"folds": 100})})
    with pytest.raises(InputError, match=r"too few rows for one; give more rows, or a number as 'fairness\.threshold'"):
        mitigated(few, parts, contract, ChosenRecipe(recipe=few.recipe))


RULES = "fairness: {{protected: [g], criteria: {{selection_rate: {{ratio: 0.8}}}}, {}}}\n"


@pytest.mark.parametrize(
    ("rules", "more", "told"),
    [
        (
            "mitigation: [group_thresholds]",
            "",
            "'group_thresholds' are not offered: what a person is answered",
        ),
        (
            "mitigation: [threshold], choose: constrained",
            "",
            "'choose: constrained' is not among 'mitigation'",
        ),
        ("mitigation: [threshold], threshold: 0.4", "", "'threshold' is given, and not taken; write 'choose: threshold'"),
        (
            "mitigation: [threshold]",
            "model: {calibration: sigmoid}\n",
            "moves the probabilities that 'model.cal",
        ),
        (
            "mitigation: [constrained]",
            "training: {history: [half-life 9 days]}\n",
            "take 'all' or a length in place",
        ),
        ("choose: threshold", "", "write 'mitigation: [threshold]' beside it"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_line(rules, more, told):
    wrong = faults(SMALL.format(path="rows.csv") + RULES.format(rules) + more, "small.yaml")
    assert len(wrong) == 1
    assert told in wrong[0]


@pytest.mark.parametrize("name", ["constrained", "threshold"])
def test_more_than_two_classes_are_refused(name):
    rules = RULES.format(f"favourable: a, mitigation: [{name}]")
    text = SMALL.format(path="rows.csv").replace('{column: y, positive: "yes"}', "{column: y, problem: multiclass}")
    text = text.replace("roc_auc", "accuracy") + rules
    (wrong,) = faults(text, "small.yaml")
    assert f"{name!r} is for two classes, and problem 'multiclass' has more; 'reweighing' fits" in wrong
