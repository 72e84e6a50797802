"""Fairness: intervals hold what they promise, groups are counted as fairlearn counts, the gate says yes, no, or neither."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from configs.errors import InputError
from configs.fairness import FITTING, Criteria, Fairness
from configs.load import faults, load_use_case
from configs.schema import UseCase
from tasks.data.derive_contract import derive_contract
from tasks.data.groups import groups_of
from tasks.data.ingest import ingest
from tasks.data.measures import Outcomes
from tasks.fairness.criteria import judge
from tasks.fairness.intervals import difference, mean, rate, ratio
from tasks.fairness.judge_fairness import judge_fairness
from tasks.fairness.logged import logged
from tasks.fairness.told import numbers_of, rows_of, section
from tasks.packaging.bundle import model_card
from tasks.training.evaluate import evaluate
from tasks.training.failed import GateFailed
from tests.conftest import SMALL, chain, small_frame, small_use_case

SIMULATIONS = 1000


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    """What the gate would show in Prefect."""
    shown = []
    monkeypatch.setattr("tasks.fairness.judge_fairness.create_table_artifact", lambda **table: shown.append(table))
    return shown


def rules(**changed):
    asked = {"protected": ["group"], "criteria": {"selection_rate": {"ratio": 0.8}}, **changed}
    return Fairness.model_validate(asked)


def covered(found, truth):
    return np.mean([one.lower <= truth <= one.upper for one in found])


@pytest.mark.parametrize(("rows", "share"), [(30, 0.5), (30, 0.9), (80, 0.1), (400, 0.02), (1000, 0.3)])
def test_an_interval_of_a_rate_holds_it_as_often_as_it_says(rows, share):
    """Not simulated: over all outcomes. Wilson's swings around its confidence, and is far from it for no share."""
    events = np.arange(rows + 1)
    holds = [low <= share <= high for _, low, high in (rate(int(n), rows, 0.95) for n in events)]
    assert 0.92 < binom.pmf(events, rows, share) @ holds < 0.99


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
@pytest.mark.parametrize(("rows", "shares"), [((30, 300), (0.7, 0.9)), ((60, 60), (0.1, 0.1)), ((200, 40), (0.05, 0.3))])
def test_intervals_of_two_rates_hold_them_as_often_as_they_say(rows, shares, confidence):
    generator = np.random.default_rng(0)
    least = confidence - 3 * np.sqrt(confidence * (1 - confidence) / SIMULATIONS)  # what chance does to the count
    drawn = generator.binomial(rows, shares, size=(SIMULATIONS, 2))
    pairs = [[rate(int(n), of, confidence) for n, of in zip(each, rows, strict=True)] for each in drawn]
    assert covered([difference(*pair) for pair in pairs], shares[0] - shares[1]) > least
    assert covered([ratio(*pair) for pair in pairs], shares[0] / shares[1]) > least
    widths = [ratio(*pair).upper for pair in pairs]
    assert confidence == 0.999 or np.median(widths) < 6 * shares[0] / shares[1]  # one that is endless would hold all


def test_intervals_of_mean_errors_hold_them_as_often_as_they_say():
    """Errors of a normal model are half-normal: skewed, as absolute errors are."""
    generator = np.random.default_rng(1)
    pairs = []
    for _ in range(SIMULATIONS):
        pairs.append([mean(np.abs(generator.normal(scale=scale, size=size)), 0.95) for scale, size in ((2, 40), (1, 200))])
    one, other = 2 * np.sqrt(2 / np.pi), np.sqrt(2 / np.pi)
    assert covered([each[0] for each in pairs], one) > 0.92
    assert 0.92 < covered([difference(*each) for each in pairs], one - other) < 0.98
    assert 0.92 < covered([ratio(*each) for each in pairs], 2.0) < 0.98


def test_a_ratio_turned_around_is_one_over_itself_and_has_ends_where_nothing_was_seen():
    one, none = rate(20, 50, 0.95), rate(0, 50, 0.95)
    there, back = ratio(one, rate(30, 60, 0.95)), ratio(rate(30, 60, 0.95), one)
    assert (there.lower, there.upper) == pytest.approx((1 / back.upper, 1 / back.lower))
    assert ratio(none, one).lower == 0
    assert 0 < ratio(none, one).upper < 0.5
    assert ratio(one, none).upper == np.inf
    assert ratio(one, none).lower > 2
    assert ratio(none, none) == (1.0, 0.0, np.inf)


def drawn(generator, rows, shares, rates):
    """Rows of groups: which group each has, what was answered (favourable at the rate of its group), what turned out."""
    group = generator.choice(list(shares), rows, p=list(shares.values()))
    answered = generator.random(rows) < np.vectorize(rates.get)(group)
    return group.astype(object), Outcomes(answered.astype(float), (generator.random(rows) < 0.5).astype(float))


def test_groups_are_counted_as_fairlearn_counts_them():
    from fairlearn import metrics

    generator = np.random.default_rng(2)
    group, outcomes = drawn(generator, 800, {"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.6, "b": 0.5, "c": 0.4})
    for kind in ("ratio", "difference"):
        criteria = {name: {kind: 0.5} for name in FITTING["binary"]}
        found = judge(rules(criteria=criteria), "1", outcomes, {"group": group})
        for each in found.judged:
            frame = metrics.MetricFrame(
                metrics=getattr(metrics, each.measure),
                y_true=outcomes.turned,
                y_pred=outcomes.answered,
                sensitive_features=group,
            )
            assert {one.group: one.value for one in each.groups} == pytest.approx(frame.by_group.to_dict())
            assert each.verdict != "holds" or each.gap.value == pytest.approx(getattr(frame, kind)(method="between_groups"))


def test_what_is_violated_holds_or_is_undecided_and_that_few_rows_say_nothing():
    generator, shares = np.random.default_rng(3), {"a": 0.6, "b": 0.39, "c": 0.01}
    verdicts = {}
    for name, rows, worse in (("violated", 3000, 0.4), ("holds", 3000, 0.69), ("undecided", 150, 0.55)):
        group, outcomes = drawn(generator, rows, shares, {"a": 0.7, "b": worse, "c": 0.0})
        (found,) = judge(rules(least=60), "1", outcomes, {"group": group}).judged
        verdicts[name] = found.verdict
        assert found.too_few == ["c"]
        assert {found.gap.smaller, found.gap.larger} == {"a", "b"}
    assert verdicts == {name: name for name in verdicts}
    (nothing,) = judge(rules(least=2000), "1", outcomes, {"group": group}).judged
    assert nothing.verdict == "too few"
    assert nothing.gap is None


def test_rows_left_to_a_person_and_rows_without_a_group_or_a_label_do_not_count():
    answered = np.array([1, 0, np.nan, 1] * 50, dtype=float)
    turned = np.array([1, np.nan, 1, 0] * 50, dtype=float)
    group = np.array(["a", "a", "a", "a", "b", "b", "b", None] * 25, dtype=object)
    found = judge(rules(criteria={"selection_rate": {"ratio": 0.8}, "equalised_odds": {"difference": 0.1}}), "1",
                  Outcomes(answered, turned), {"group": group})  # fmt: skip
    rows = {(each.measure, one.group): one.rows for each in found.judged for one in each.groups}
    assert rows[("selection_rate", "a")] == 75
    assert rows[("selection_rate", "b")] == 50
    assert rows[("true_positive_rate", "a")] == 25
    assert rows[("false_positive_rate", "b")] == 0
    assert found.unknown == {"group": 25}
    assert "25 rows have no 'group'" in section(found)


def test_intersections_see_what_single_columns_hide():
    """Of each column both groups are answered alike; of both together they are not (Kearns et al., 2018)."""
    generator = np.random.default_rng(4)
    race, sex = generator.choice(["x", "y"], 4000), generator.choice(["f", "m"], 4000)
    answered = (generator.random(4000) < np.where((race == "x") == (sex == "f"), 0.7, 0.3)).astype(float)
    columns = {"race": pd.Series(race), "sex": pd.Series(sex)}
    asked, outcomes = rules(protected=["race", "sex"], intersections=True), Outcomes(answered, answered)
    found = judge(asked, "1", outcomes, groups_of(columns, asked.intersections))
    assert {each.by: each.verdict for each in found.judged} == {"race": "holds", "sex": "holds", "race and sex": "violated"}
    assert {"x and f", "y and m"} >= {found.those("violated")[0].gap.larger}
    assert found.comparisons == 1 + 1 + 6


@pytest.mark.parametrize(("ratio_of", "confidence", "most"), [(1.0, 0.95, 0.0), (0.8, 0.95, 0.05), (0.8, 0.8, 0.2)])
def test_few_windows_without_a_violation_are_called_one(ratio_of, confidence, most):
    """At the bound itself, the hardest case, at most the declared share; without a difference none of a thousand."""
    generator = np.random.default_rng(5)
    asked = rules(
        protected=["group", "other"], criteria={"selection_rate": {"ratio": 0.8}, "equalised_odds": {"ratio": 0.8}}
    )
    alarms = 0
    for _ in range(SIMULATIONS):
        group, outcomes = drawn(
            generator, 400, {"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.6, "b": 0.6 * ratio_of, "c": 0.6 * ratio_of}
        )
        other = generator.choice(["x", "y"], 400).astype(object)
        alarms += judge(asked, "1", outcomes, {"group": group, "other": other}, confidence).verdict == "violated"
    assert alarms / SIMULATIONS <= most
    assert ratio_of == 1.0 or alarms > 0  # it can be wrong, or it would say nothing


def test_windows_with_a_violation_are_found():
    generator, found = np.random.default_rng(6), 0
    for _ in range(200):
        group, outcomes = drawn(generator, 400, {"a": 0.6, "b": 0.4}, {"a": 0.7, "b": 0.35})
        found += judge(rules(), "1", outcomes, {"group": group}).verdict == "violated"
    assert found > 190


FAIR = """
fairness:
  protected: [g]
  criteria: {{selection_rate: {{ratio: 0.8}}, equalised_odds: {{difference: 0.2}}}}
  on_violation: {on_violation}
"""


def grouped(strength, rows=2000):
    """Rows with a protected column `g` that says the less of `a`, which the model sees, the smaller `strength` is."""
    frame = small_frame(rows=rows, seed=1)
    frame["g"] = np.where(strength * frame.a + np.random.default_rng(7).normal(size=rows) > 0, 1, 0)
    return frame


def declared(folder, text, frame):
    return small_use_case(folder, frame=frame, **{"monitoring:": text.strip() + "\nmonitoring:"})


def judged(case):
    _, contract, parts, fitted = chain(case)
    evaluation = evaluate.fn(case, parts, contract, fitted)
    return judge_fairness.fn(case, parts, evaluation), evaluation, parts


def test_the_gate_refuses_what_is_violated(tmp_path, home, quiet, tables):
    case = declared(tmp_path, FAIR.format(on_violation="refuse"), grouped(2))
    with pytest.raises(
        GateFailed, match=r"fairness: selection_rate by g: 0 over 1: 0\.\d+ \(.*\), bound ratio >= 0.8, violated"
    ):
        judged(case)
    assert tables[0]["key"] == "fairness-small"
    assert {row["verdict"] for row in tables[0]["table"]} >= {"violated"}


def test_what_is_only_told_stands_on_the_card_and_in_mlflow(tmp_path, home, quiet):
    case = declared(tmp_path, FAIR.format(on_violation="tell"), grouped(2))
    found, evaluation, parts = judged(case)
    assert "g" not in case.features.all
    assert found.verdict == "violated"
    assert found.favourable == "yes"
    lineage = {"until": "", "recipe": "", "learned_rows": 1, "configuration_digest": "x"}
    card = model_card(case, parts.snapshot, evaluation, lineage, found)
    assert "## Fairness: violated\n\nThe model sees none of the protected columns. The favourable answer is `yes`." in card
    assert re.search(r"\| selection_rate \| selection_rate \| g \| 0 over 1: 0\.\d+ .* \| ratio >= 0.8 \| violated \|", card)
    assert (found.proxies[0].column, found.proxies[0].of) == ("a", "g")
    assert found.proxies[0].auc > 0.8 > 0.6 > found.proxies[1].auc
    assert f"| g | a | {found.proxies[0].auc:.3f} |" in card
    numbers = numbers_of(found)
    assert set(numbers) == {
        "fairness_selection_rate_ratio", "fairness_true_positive_rate_difference", "fairness_false_positive_rate_difference",
    }  # fmt: skip
    assert numbers["fairness_selection_rate_ratio"] < 0.8
    assert "Fairness" not in model_card(case, parts.snapshot, evaluation, lineage)


def test_the_gate_lets_through_what_holds_and_what_nobody_can_say(tmp_path, home, quiet):
    text = (
        FAIR.format(on_violation="refuse").replace("difference: 0.2", "difference: 0.3").replace("ratio: 0.8", "ratio: 0.5")
    )
    assert judged(declared(tmp_path, text, grouped(0)))[0].verdict == "holds"
    strict = text.replace("ratio: 0.5", "ratio: 0.97")
    assert judged(declared(tmp_path, strict, grouped(0)))[0].verdict == "undecided"


def test_answers_of_several_classes_and_numbers_are_judged_too(tmp_path, home, quiet):
    frame = grouped(0)
    frame["y"] = pd.cut(frame.a + frame.b, [-np.inf, -1, 1, np.inf], labels=["low", "middle", "high"]).astype(str)
    text = FAIR.format(on_violation="tell").replace("[g]", "[g]\n  favourable: high")
    several = small_use_case(tmp_path, frame=frame, **{"monitoring:": text.strip() + "\nmonitoring:",
        'positive: "yes"': "problem: multiclass", "roc_auc, at_least": "accuracy, at_least"})  # fmt: skip
    found, evaluation, _ = judged(several)
    rows = pd.read_parquet(evaluation.scores_path)
    high = evaluation_classes(evaluation).index("high")
    share = np.mean([np.argmax(each) == high for each in rows["output"]])
    groups = next(each for each in found.judged if each.measure == "selection_rate").groups
    assert sum(one.value * one.rows for one in groups) / len(rows) == pytest.approx(share)
    frame["y"] = frame.a + frame.b + np.where(frame.g == 1, 3, 0.3) * np.random.default_rng(0).normal(size=len(frame))
    text = "fairness: {protected: [g], criteria: {error: {ratio: 0.8}}, on_violation: tell}"
    number = small_use_case(tmp_path, frame=frame, **{"monitoring:": text + "\nmonitoring:",
        'positive: "yes"': "problem: regression", "roc_auc, at_least: 0.6": "r2, at_least: -9"})  # fmt: skip
    found = judged(number)[0]
    assert found.verdict == "violated"
    assert found.favourable == ""
    assert rows_of(found)[0]["farthest apart"].startswith("0 over 1: 0.")


def evaluation_classes(evaluation):
    from tasks.data.frames import contract_of

    return list(contract_of(evaluation.contract).classes)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("{protected: [g], criteria: {}}", 10, "'fairness.criteria': names no criterion; give one of selection_rate"),
        ("{protected: [g], criteria: {selection_rates: {ratio: 0.8}}}", 10, "did you mean 'selection_rate'"),
        (
            "{protected: [g], criteria: {error: {ratio: 0.8}}}",
            1,
            "'error' does not fit problem 'binary'; those that do: sel",
        ),
        ("{protected: [g], criteria: {selection_rate: {}}}", 10, "give one of 'ratio' (0.8: four fifths) and 'difference'"),
        ("{protected: [g], criteria: {selection_rate: {difference: 3}}}", 10, "one of rates, so below 1; found 3"),
        ("{protected: [], criteria: {selection_rate: {ratio: 0.8}}}", 10, "should have at least 1 item"),
        ("{protected: [g, g], criteria: {selection_rate: {ratio: 0.8}}}", 10, "'g' is listed twice"),
        ("{protected: [y], criteria: {selection_rate: {ratio: 0.8}}}", 1, "'y' is the target itself"),
        ("{protected: [g], intersections: true, criteria: {selection_rate: {ratio: 0.8}}}", 10, "'protected' lists one"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_line(text, line, told):
    wrong = faults(SMALL.format(path="rows.csv") + f"fairness: {text}\n", "small.yaml")
    assert len(wrong) == 1
    assert wrong[0].startswith(f"small.yaml:{line}: ")
    assert told in wrong[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"[g]": "[h]"}, r"fairness.protected: the source has no column 'h'"),
        (
            {"[g]": "[a]"},
            r"fairness.protected: 'a' has 2,000 values, and groups are at most 20; make some in 'source.query'",
        ),
        ({"[g]": "[one]"}, r"fairness.protected: 'one' has the same value in every row"),
        ({"[g]": "[g]\n  favourable: perhaps"}, r"fairness.favourable: 'perhaps' is no value of 'y'; found 'no', 'yes'"),
    ],
)
def test_what_the_rows_do_not_have_stops_before_anything_is_trained(tmp_path, home, quiet, change, told):
    text = FAIR.format(on_violation="refuse")
    for old, new in change.items():
        text = text.replace(old, new)
    case = declared(tmp_path, text, grouped(0).assign(one=1))
    with pytest.raises(InputError, match=told):
        derive_contract.fn(case, ingest.fn(case, None))


def test_a_use_case_without_fairness_is_what_it_was():
    """Its digest stands in every bundle: a key that nobody set must not make new versions of all models."""
    assert "fairness" not in load_use_case("flights").model_dump(mode="json")
    loans = load_use_case("loans")
    again = UseCase.model_validate(loans.model_dump(mode="json"))
    assert again.fairness == loans.fairness


def test_every_criterion_has_a_problem_that_it_fits():
    assert {name for fitting in FITTING.values() for name in fitting} == set(Criteria.model_fields)


def test_a_protected_column_is_found_where_the_log_has_it_or_it_is_told_why_not(tmp_path):
    rows = pd.DataFrame({"feature.c": ["x", "y"], "identifier.g": ["m", "f"], "kpi.g": [0.0, 1.0], "kpi.h": [0.0, 1.0]})
    case = small_use_case(tmp_path)
    found = {name: logged(case, rows, name) for name in ("c", "g", "h")}
    assert {name: column.tolist() for name, column in found.items()} == {"c": ["x", "y"], "g": ["m", "f"], "h": [0.0, 1.0]}
    assert logged(case, rows, "i").startswith("the log has no values of it; list it under 'features.identifiers'")
    many = pd.DataFrame({"kpi.age": np.arange(21.0)})
    assert logged(case, many, "age") == "it has 21 values in these rows, and groups are at most 20"
    hashed = small_use_case(tmp_path, **{"[c]": "[c], rules: {c: {sensitive: true}}"})
    assert "write 'log: {sensitive: keep}'" in logged(hashed, rows, "c")
