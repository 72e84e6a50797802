"""Choose a recipe: which history to learn from and with which hyperparameters, by forward chaining."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import numpy as np
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from configs.schema import Recipe, UseCase
from tasks.data.values import Split
from tasks.training.candidates import better_third, draw_candidates
from tasks.training.folds import Fold, best, forward_folds
from tasks.training.own import with_source
from tasks.training.try_recipe import try_recipe
from tasks.training.values import ChosenRecipe

RUNGS = (1 / 9, 1 / 3, 1.0)


def chosen_recipe(use_case: UseCase, parts: Split, contract: str) -> ChosenRecipe:
    """The recipe of the use case, or the best of several where it leaves a choice."""
    usual = with_source(use_case.recipe)
    if len(use_case.training.history) == 1 and use_case.training.search is None:
        return ChosenRecipe(recipe=usual)
    folds = forward_folds(use_case, parts)
    if not folds:
        return ChosenRecipe(recipe=usual, reason="too few rows for a fold before the holdout: nothing was compared")
    return choose_recipe.with_options(task_runner=runner(use_case))(use_case, parts, contract, folds)


@flow(name="choose-recipe", flow_run_name="choose-recipe-{use_case.name}")
def choose_recipe(use_case: UseCase, parts: Split, contract: str, folds: list[Fold]) -> ChosenRecipe:
    """Compare histories, then search hyperparameters on the history that was taken.

    Args:
        use_case: What is trained.
        parts: The snapshot; only rows before the holdout are used.
        contract: Digest of the contract.
        folds: Where to train and to judge.

    Returns:
        The recipe, and why.
    """
    usual, reasons = with_source(use_case.recipe), []
    histories = [usual.model_copy(update={"history": history}) for history in use_case.training.history]
    if len(histories) > 1:
        place, why = best(use_case.promotion.metric, try_all(use_case, parts, contract, folds, histories, 1.0))
        usual = histories[place]
        reasons.append(f"history {usual.history!r}: {why}")
        get_run_logger().info("Learns from %s", reasons[-1])
    if use_case.training.search:
        usual, why = search(use_case, parts, contract, folds, usual)
        reasons.append(f"parameters {usual.model.parameters}: {why}")
        get_run_logger().info("Searched: %s", reasons[-1])
    return ChosenRecipe(recipe=usual, reason="; ".join(reasons))


def search(use_case: UseCase, parts: Split, contract: str, folds: list[Fold], usual: Recipe) -> tuple[Recipe, str]:
    """Successive halving: of each rung the usual recipe and the better third go on, with three times the rows."""
    rules, metric = use_case.training.search, use_case.promotion.metric
    assert rules is not None
    began, left, scores, why = time.monotonic(), draw_candidates(rules, usual.model), np.empty((0, 0)), ""
    for number, share in enumerate(RUNGS):
        if number and time.monotonic() - began > rules.budget.total_seconds():
            why = f" (the budget of {rules.budget} was spent: judged on {RUNGS[number - 1]:.0%} of the rows)"
            break
        if number:
            left = better_third(left, scores, metric)
        recipes = [usual.model_copy(update={"model": model}) for model in left]
        scores = try_all(use_case, parts, contract, folds, recipes, share)
        get_run_logger().info("%s candidates on %.0f %% of the rows tried", len(left), 100 * share)
    place, told = best(metric, scores)
    return usual.model_copy(update={"model": left[place]}), f"{told}, of {rules.candidates} candidates{why}"


def try_all(
    use_case: UseCase, parts: Split, contract: str, folds: list[Fold], recipes: list[Recipe], share: float
) -> np.ndarray:
    """The metric of every recipe on every fold, shape (recipes, folds); the table is an artifact of the run."""
    metric = use_case.promotion.metric
    futures = [
        [try_recipe.submit(parts.snapshot, *fold, contract, recipe, metric, share) for fold in folds] for recipe in recipes
    ]
    scores = np.array([[future.result() for future in row] for row in futures], dtype=np.float64)
    create_table_artifact(
        key=f"recipes-{use_case.name}",
        table=[_line(recipe, row) for recipe, row in zip(recipes, scores, strict=True)],
        description=f"{metric} of {len(recipes)} recipes on {len(folds)} folds, learned from {share:.0%} of the rows",
    )
    return scores


def _line(recipe: Recipe, scores: np.ndarray) -> dict[str, Any]:
    folds = {f"fold {number}": round(float(score), 4) for number, score in enumerate(scores, start=1)}
    return {"history": recipe.history, **recipe.model.parameters, "mean": round(float(scores.mean()), 4), **folds}


def runner(use_case: UseCase) -> TaskRunner[Any]:
    """Searches go to Dask: to the cluster at `SLIPWAY_DASK`, else to one of this machine's, a process a core.

    A few histories are tried one after the other: each training takes all cores anyway.
    """
    if use_case.training.search is None:
        return ThreadPoolTaskRunner(max_workers=1)
    from prefect_dask import DaskTaskRunner

    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of every worker that comes and goes
    if address := os.environ.get("SLIPWAY_DASK"):
        return DaskTaskRunner(address=address)
    return DaskTaskRunner(cluster_kwargs={"threads_per_worker": 1, "dashboard_address": None})
