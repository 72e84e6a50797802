"""Fairness: how often intervals hold the truth, how often a window alarms, and what `loans` shows: people, and their model.

python -m benchmarks.fairness
python -m benchmarks.fairness prices: what mitigation costs and gains on the loans, and on the adults (UCI's census income)
where `SLIPWAY_DATA` has them
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import yaml
from prefect.logging import disable_run_logger

from configs.fairness import Criteria, Fairness, Tolerance
from configs.load import load_use_case
from configs.schema import UseCase
from flows.choose_mitigation import candidates_of
from tasks.data.derive_contract import derive_contract
from tasks.data.groups import groups_of
from tasks.data.ingest import ingest
from tasks.data.measures import Outcomes
from tasks.data.split import split
from tasks.fairness.criteria import judge
from tasks.fairness.find_threshold import find_threshold
from tasks.fairness.intervals import Estimate, difference, rate, ratio
from tasks.fairness.price_mitigation import price_mitigation
from tasks.fairness.told import told_change, told_gap, told_judged, told_number
from tasks.training.folds import forward_folds
from tasks.training.try_mitigation import try_mitigation

WINDOWS, ROWS = 2000, 400
FOUR_FIFTHS = Fairness(protected=["group"], criteria=Criteria(selection_rate=Tolerance(ratio=0.8)))


def coverage() -> None:
    """Over all outcomes of two groups, weighted by how probable they are; no simulation."""
    from scipy.stats import binom

    print(
        "| rows | rates | difference, 95 % | ratio, 95 % | difference, 99.9 % | ratio, 99.9 % |\n|---|---|---|---|---|---|"
    )
    for rows, rates in (
        ((30, 300), (0.7, 0.9)),
        ((60, 60), (0.1, 0.1)),
        ((200, 40), (0.05, 0.3)),
        ((38, 259), (0.82, 0.89)),
    ):
        weights = np.outer(*(binom.pmf(np.arange(n + 1), n, p) for n, p in zip(rows, rates, strict=True)))
        cells = []
        for confidence in (0.95, 0.999):
            one, other = ([rate(k, n, confidence) for k in range(n + 1)] for n in rows)
            for both, truth in ((difference, rates[0] - rates[1]), (ratio, rates[0] / rates[1])):
                holds = np.array([[_holds(both(a, b), truth) for b in other] for a in one])
                cells.append(f"{(weights * holds).sum():.2%}")
        print(f"| {rows[0]}, {rows[1]} | {rates[0]:g}, {rates[1]:g} | {' | '.join(cells)} |")


def _holds(found: Estimate, truth: float) -> bool:
    return found.lower <= truth <= found.upper


def alarms() -> None:
    """Windows of two groups with a true ratio, held against four fifths."""
    print(f"\n{WINDOWS:,} windows of {ROWS} rows\n\n| true ratio | violated at 95 % | violated at 99.5 % |\n|---|---|---|")
    for true in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5):
        shares = []
        for confidence in (0.95, 0.995):
            generator, found = np.random.default_rng(0), 0
            for _ in range(WINDOWS):
                group = generator.choice(["a", "b"], ROWS, p=[0.6, 0.4]).astype(object)
                answered = (generator.random(ROWS) < np.where(group == "a", 0.6, 0.6 * true)).astype(float)
                judged = judge(FOUR_FIFTHS, "1", Outcomes(answered, answered), {"group": group}, confidence)
                found += judged.verdict == "violated"
            shares.append(f"{found / WINDOWS:.2%}")
        print(f"| {true:g} | {' | '.join(shares)} |")


def loans() -> None:
    """What people decided on all applications, and what a model of five folds answers on rows that it did not learn from."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    from tasks.data.derive_contract import contract_of_rows
    from tasks.data.frames import encode
    from tasks.data.source import training_rows
    from tasks.problems.problem import problem_of
    from tasks.training.fit import build_pipeline

    case = load_use_case("loans").model_copy(update={"replay": None})
    if case.fairness is None:
        raise SystemExit("configs/loans.yaml has no fairness")
    frame = training_rows(case, None).to_pandas()
    contract, problem = contract_of_rows(case, frame), problem_of(case.target)
    people = frame["approve"].to_numpy(dtype=float)
    pipeline = build_pipeline(case.features, case.model, problem)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = cross_val_predict(pipeline, encode(contract, frame)[case.features.all], people.astype(int), cv=folds)
    groups = groups_of({name: frame[name] for name in case.fairness.protected}, together=False)
    for who, answered in (("people", people), ("model", model.astype(float))):
        found = judge(case.fairness, "1", Outcomes(answered, people), groups)
        print(f"\n{who}, {found.rows:,} applications, {found.comparisons} comparisons")
        for each in found.judged:
            print(f"- {told_judged(each)}; {'; '.join(f'{group.group}: {told_number(group)}' for group in each.groups)}")


ADULTS = """
name: adults
description: Does a person earn more than 50,000 dollars a year?
source: {{tables: {{rows: {path}}}}}
target: {{column: income, positive: ">50K"}}
features:
  categorical: [workclass, education, marital_status, occupation, relationship]
  numeric: [age, education_num, capital_gain, capital_loss, hours_per_week]
  rules: {{workclass: {{nullable: true}}, occupation: {{nullable: true}}}}
split: {{holdout: 0.3}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.6}}]}}
fairness:
  protected: [sex]
  criteria: {{selection_rate: {{ratio: 0.8}}, equalised_odds: {{difference: 0.1}}}}
  mitigation: [reweighing, constrained, threshold]
monitoring: {{schedule: "0 3 * * *", window: 300 rows, false_alarm_rate: 0.01, min_labels: 100}}
"""


FOLDER = Path(os.environ.get("SLIPWAY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def prices() -> None:
    """By the steps of the chain, on the folds before the holdout."""
    case = load_use_case("loans")
    assert case.fairness is not None
    fairness = case.fairness.model_copy(update={"mitigation": ["reweighing", "constrained", "threshold"]})
    price(case.model_copy(update={"replay": None, "fairness": fairness}))
    if (adults := FOLDER / "adult.csv").exists():
        price(UseCase.model_validate(yaml.safe_load(ADULTS.format(path=adults))))


def price(case: UseCase) -> None:
    """A row for each thing that mitigations change, a column for each of them."""
    assert case.fairness is not None
    snapshot = ingest.fn(case, None)
    contract, parts = derive_contract.fn(case, snapshot), split.fn(case, snapshot)
    folds = forward_folds(case, parts)
    with (
        patch("tasks.fairness.price_mitigation.create_table_artifact"),
        patch.multiple("flows.choose_mitigation", try_mitigation=try_mitigation.fn, find_threshold=find_threshold.fn),
    ):
        candidates = candidates_of(case, snapshot, folds, contract, case.recipe)
        usual, *others = price_mitigation.fn(
            case, snapshot, contract, {name: each.scores for name, each in candidates.items()}
        )
    print(f"\n{case.name}, {usual.found.rows:,} rows in {len(folds)} folds")
    print(f"threshold {candidates['threshold'].recipe.threshold:g}\n")
    print(f"| | usual | {' | '.join(each.name for each in others)} |\n|---|{'---|' * (1 + len(others))}")
    for place, change in enumerate(others[0].changes[:2]):
        before = usual.value if place == 0 else usual.right
        after = [f"{(each.value, each.right)[place]:.4f}, {told_change(each.changes[place])}" for each in others]
        print(f"| {change.what} | {before:.4f} | {' | '.join(after)} |")
    gains = [{change.what: told_change(change) for change in each.changes} for each in others]
    for before, *after in zip(usual.found.judged, *(each.found.judged for each in others), strict=True):
        name = f"{before.measure} by {before.by}"
        told = [f"{told_gap(each)}, {each.verdict}; {gain.get(name, '')}" for each, gain in zip(after, gains, strict=True)]
        print(f"| {name} | {told_gap(before)}, {before.verdict} | {' | '.join(told)} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", SLIPWAY_HOME=folder), disable_run_logger():
        if sys.argv[1:2] == ["prices"]:
            prices()
        else:
            coverage()
            alarms()
            loans()
