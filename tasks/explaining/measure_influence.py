"""Measure influence: what moves a model's answers over many rows, for the card, the registry and a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from prefect import get_run_logger
from prefect.artifacts import create_link_artifact

from configs.files import write_atomically
from configs.schema import UseCase
from configs.settings import report_address, reports, store
from serving.contract.contract import Contract
from serving.reasons.reasons import Reasons, read
from serving.scoring.onnx import Scorer
from tasks.columns.choose import kinds_of
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.data.values import Split
from tasks.explaining.effects import WAYS
from tasks.explaining.importance import importance, permuted
from tasks.explaining.influence_page import influence_page
from tasks.explaining.sample import affordable, runs, spaced
from tasks.explaining.values import Effect, Importance, Influence
from tasks.packaging.values import OnnxModel
from tasks.problems.chance import enough_blocks
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.store import put
from tasks.training.fitted import load
from tasks.training.values import FittedModel

ROWS = 1000  # of the holdout that importance is measured on
EFFECT_ROWS = 500
MOST_EFFECTS = 8  # columns, the most important ones
SHAPLEY = "mean absolute Shapley value of the answers, by the model that serves"
PERMUTATION = (
    "permutation importance, since no exact reasons are known of this model: how much the loss of a row (0 to 1) grows when "
    "a column's values are dealt to other rows, by the candidate, which has not learned from them"
)


@step
def measure_influence(
    use_case: UseCase, split: Split, contract: str, candidate: FittedModel, onnx: OnnxModel, reasons: str | None
) -> Influence:
    """Importance of every column and effects of the first ones, on a sample of the holdout; a page of both is linked.

    Of a column whose values the log does not keep there is no effect: a curve would show them.
    """
    columns = contract_of(contract)
    held_out = read_rows(split.snapshot, split.cut, split.snapshot.rows)
    model = Scorer(onnx.path, columns)
    found = (
        _by_permutation(use_case, columns, held_out, candidate)
        if reasons is None
        else _by_reasons(use_case, columns, held_out, model, (store("reasons") / f"{reasons}.npz").read_bytes())
    )
    effects, left_out = _effects(use_case, columns, held_out, model, [each.column for each in found.columns])
    influence = Influence(**found._asdict(), effects=effects, left_out=left_out)
    content = influence_page(use_case.name, influence).encode()
    digest = put("influence", ".html", content)
    path = reports(use_case.name, "training") / f"influence-{digest[:12]}.html"
    write_atomically(path, content)
    create_link_artifact(
        key=f"influence-{use_case.name}",
        link=report_address(path),
        link_text="what moves the answers",
        description=f"Importance and effects of the columns of `{use_case.name}`, on held out rows",
    )
    get_run_logger().info("What moves the answers most: %s", ", ".join(each.column for each in influence.columns[:3]))
    return influence.model_copy(update={"page": digest})


class _Measured(NamedTuple):
    how: str
    unit: str
    rows: int
    columns: list[Importance]


def _by_reasons(use_case: UseCase, columns: Contract, held_out: Any, model: Scorer, content: bytes) -> _Measured:
    additive = read(content)
    frame, time = spaced(held_out, affordable(additive, ROWS)), use_case.source.time_column
    arrays, reasons = model_input(encode(columns, frame)), Reasons(additive, columns)
    moved = np.abs(reasons.explain(arrays, model.outputs(arrays)).contributions)
    blocks = enough_blocks(frame[time].to_numpy() if time else None, len(frame))
    return _Measured(SHAPLEY, reasons.scale, len(frame), importance(reasons.columns, moved, blocks))


def _by_permutation(use_case: UseCase, columns: Contract, held_out: Any, candidate: FittedModel) -> _Measured:
    problem, pipeline = problem_of(use_case.target), load(candidate)
    frame, blocks = runs(held_out, ROWS)
    encoded, target = encode(columns, frame)[use_case.features.all], problem.targets(columns, frame)
    usual = problem.judged(problem.outputs(columns, pipeline, encoded))

    def losses(rows: Any) -> np.ndarray:
        return problem.losses((target, usual), (target, problem.judged(problem.outputs(columns, pipeline, rows))))[1]

    return _Measured(PERMUTATION, "loss", len(frame), importance(list(encoded), permuted(losses, encoded), blocks))


def _effects(
    use_case: UseCase, columns: Contract, held_out: Any, model: Scorer, ranked: list[str]
) -> tuple[list[Effect], dict[str, str]]:
    problem, kinds = problem_of(use_case.target), kinds_of(use_case.features)
    encoded = encode(columns, spaced(held_out, EFFECT_ROWS))

    def answers(frame: Any) -> Mapping[str, np.ndarray]:
        return problem.scores(columns, problem.judged(model.outputs(model_input(frame))))

    found: list[Effect] = []
    left_out: dict[str, str] = {}
    for name in ranked:
        varies = kinds[name].varies
        if varies == "not":
            left_out[name] = "its values have no order, and hardly two are alike"
        elif name not in use_case.watched:
            left_out[name] = "the log does not keep its values"
        elif len(found) < MOST_EFFECTS:
            effect = WAYS[varies](answers, encoded, name, kinds)
            if effect is None:
                left_out[name] = "it has fewer than two values that are frequent"
            else:
                found.append(effect)
    return found, left_out
