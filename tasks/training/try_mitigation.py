"""Try a mitigation: what a recipe answers to the rows of folds that it did not learn from."""

from __future__ import annotations

import numpy as np

from configs.schema import Recipe
from tasks.data.frames import contract_of, encode, read_rows
from tasks.data.values import Snapshot
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.store import put_parquet
from tasks.training.fit import fit
from tasks.training.folds import Fold


@step
def try_mitigation(snapshot: Snapshot, folds: list[Fold], contract: str, recipe: Recipe) -> str:
    """The digest of a Parquet of row number, target and what was judged, of the rows of all folds."""
    import pyarrow as pa

    columns, problem = contract_of(contract), problem_of(recipe.target)
    rows, targets, answers = [], [], []
    for fold in folds:
        pipeline, _ = fit(snapshot, fold.learn, contract, recipe)
        frame = read_rows(snapshot, fold.start, fold.stop)
        answers.append(problem.judged(problem.outputs(columns, pipeline, encode(columns, frame)[recipe.features.all])))
        targets.append(problem.targets(columns, frame))
        rows.append(np.arange(fold.start, fold.stop))
    kept = {"row": np.concatenate(rows), "target": np.concatenate(targets)}
    return put_parquet("scores", pa.table({**kept, problem.column: problem.kept(np.concatenate(answers))}))
