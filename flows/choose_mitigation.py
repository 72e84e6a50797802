"""Choose a mitigation: what each costs and gains, on rows of the past that none of the candidates learned from."""

from __future__ import annotations

from typing import NamedTuple

from prefect import get_run_logger

from configs.errors import InputError
from configs.fairness import Fairness
from configs.schema import Recipe, UseCase
from tasks.data.values import Snapshot, Split
from tasks.fairness.choose_mitigation import chosen_of
from tasks.fairness.find_threshold import find_threshold
from tasks.fairness.price_mitigation import USUAL, price_mitigation
from tasks.training.folds import Fold, forward_folds
from tasks.training.try_mitigation import try_mitigation
from tasks.training.values import ChosenRecipe


class Candidate(NamedTuple):
    """A recipe, and the digest of what it answered to the rows of the folds."""

    recipe: Recipe
    scores: str


def mitigated(use_case: UseCase, parts: Split, contract: str, chosen: ChosenRecipe) -> ChosenRecipe:
    """The chosen recipe, with the mitigation that is taken, and why; as it is where the use case has none to compare.

    Raises:
        InputError: a threshold is to be found, and there are too few rows for a fold.
    """
    rules = use_case.fairness
    if rules is None or not rules.mitigation:
        return chosen
    if rules.named and not rules.seeks_threshold:
        return chosen.because(f"mitigation {rules.named!r}, by name")
    folds = forward_folds(use_case, parts)
    if not folds:
        return _without_folds(rules, chosen)
    candidates = candidates_of(use_case, parts.snapshot, folds, contract, chosen.recipe)
    if rules.named:
        return chosen.taking(candidates[rules.named].recipe, f"mitigation {rules.named!r}, by name")
    answers = {name: each.scores for name, each in candidates.items()}
    taken, why = chosen_of(rules, price_mitigation(use_case, parts.snapshot, contract, answers))
    get_run_logger().info("Mitigation: %s", why)
    return chosen.taking(candidates[taken.name].recipe, why)


def candidates_of(
    use_case: UseCase, snapshot: Snapshot, folds: list[Fold], contract: str, usual: Recipe
) -> dict[str, Candidate]:
    """By name the usual recipe, the first, and what it is with each mitigation; where one is named only with that."""
    rules = use_case.fairness
    assert rules is not None
    found = {USUAL: Candidate(usual, try_mitigation(snapshot, folds, contract, usual))}
    for name in [rules.named] if rules.named else rules.mitigation:
        if name == "threshold":
            its = find_threshold(use_case, snapshot, folds, contract, found[USUAL].scores)
            found[name] = Candidate(usual.mitigated(name, rules.taking(name, its.threshold)), its.scores)
        else:
            recipe = usual.mitigated(name, rules)
            try:
                found[name] = Candidate(recipe, try_mitigation(snapshot, folds, contract, recipe))
            except InputError as error:  # of the folds' rows: one among several is no reason to release nothing
                if rules.named:
                    raise
                get_run_logger().warning("Mitigation %s is no candidate: %s", name, error)
    return found


def _without_folds(rules: Fairness, chosen: ChosenRecipe) -> ChosenRecipe:
    if rules.named:
        raise InputError(
            "fairness.choose: 'threshold' is found on folds before the holdout, and there are too few rows for one; give "
            "more rows, or a number as 'fairness.threshold'"
        )
    return chosen.because("no mitigation: too few rows for a fold before the holdout, so nothing was compared")
