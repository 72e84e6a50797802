"""Try a recipe: train it on the past of a fold, and score what came then."""

from __future__ import annotations

from configs.schema import Metric, Recipe
from tasks.data.frames import contract_of, encode, labels, read_rows
from tasks.data.values import Snapshot
from tasks.problems.metrics import score
from tasks.step import step
from tasks.training.fit import fit


@step
def try_recipe(
    snapshot: Snapshot, learn: int, start: int, stop: int, contract: str, recipe: Recipe, metric: Metric, share: float = 1.0
) -> float:
    """The metric on rows [start, stop) of a pipeline fitted on a share of rows [0, learn)."""
    pipeline, _ = fit(snapshot, learn, contract, recipe, share)
    frame = read_rows(snapshot, start, stop)
    probability = pipeline.predict_proba(encode(contract_of(contract), frame)[recipe.features.all])[:, 1]
    return score(metric, labels(recipe.target, frame), probability)
