"""Choose a mitigation: what each costs and gains, on rows of the past that none of the candidates learned from."""

from __future__ import annotations

from prefect import get_run_logger

from configs.schema import UseCase
from tasks.data.values import Split
from tasks.fairness.choose_mitigation import chosen_of
from tasks.fairness.price_mitigation import USUAL, price_mitigation
from tasks.training.folds import forward_folds
from tasks.training.try_mitigation import try_mitigation
from tasks.training.values import ChosenRecipe


def mitigated(use_case: UseCase, parts: Split, contract: str, chosen: ChosenRecipe) -> ChosenRecipe:
    """The chosen recipe, with the mitigation that is taken, and why; as it is where the use case has none to compare."""
    rules = use_case.fairness
    if rules is None or not rules.mitigation:
        return chosen
    if rules.mitigated:
        return chosen.because(f"mitigation {rules.choose!r}, by name")
    folds = forward_folds(use_case, parts)
    if not folds:
        return chosen.because("no mitigation: too few rows for a fold before the holdout, so nothing was compared")
    recipes = {USUAL: chosen.recipe, "reweighing": chosen.recipe.model_copy(update={"reweighing": rules.protected})}
    tried = {name: try_mitigation(parts.snapshot, folds, contract, recipe) for name, recipe in recipes.items()}
    taken, why = chosen_of(rules, price_mitigation(use_case, parts.snapshot, contract, tried))
    get_run_logger().info("Mitigation: %s", why)
    return ChosenRecipe(recipe=recipes[taken.name], reason=chosen.reason).because(why)
