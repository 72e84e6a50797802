"""Try a recipe: train it on the past of a fold, and score what came then."""

from __future__ import annotations

from configs.problems import Metric
from configs.schema import Recipe
from tasks.data.frames import contract_of, encode, read_rows
from tasks.data.values import Snapshot
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.training.fit import fit


@step
def try_recipe(
    snapshot: Snapshot, learn: int, start: int, stop: int, contract: str, recipe: Recipe, metric: Metric, share: float = 1.0
) -> float:
    """The metric on rows [start, stop) of a pipeline fitted on a share of rows [0, learn)."""
    pipeline, _ = fit(snapshot, learn, contract, recipe, share)
    frame, columns, problem = read_rows(snapshot, start, stop), contract_of(contract), problem_of(recipe.target)
    outputs = problem.outputs(columns, pipeline, encode(columns, frame)[recipe.features.all])
    return problem.metrics[metric].value(problem.targets(columns, frame), problem.judged(outputs))
