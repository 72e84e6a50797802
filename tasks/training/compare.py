"""Compare: champion against challenger on labelled rows that neither has learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
from prefect import get_run_logger, task

from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.data.values import Split
from tasks.problems.chance import day_blocks, quantile, slack
from tasks.problems.classes import few
from tasks.problems.problem import problem_of
from tasks.registry.values import Version
from tasks.training.coverage import restored
from tasks.training.enough import too_little
from tasks.training.slices import by_slice
from tasks.training.unseen import unseen_rows
from tasks.training.values import Comparison, Evaluation, Slice


@task
def compare(
    use_case: UseCase, champion: Version | None, challenger: Version, evaluation: Evaluation, split: Split, cause: str
) -> Comparison:
    """Decide whether the challenger is better.

    Both are scored on those rows of the holdout that the champion has not learned from either; the difference is resampled
    by whole days (paired). The challenger is judged by the candidate that was fitted without the holdout, whose answers
    `evaluation.scores` holds. A slice that is shown to lose more than `monitoring.tolerance` keeps the champion.
    """
    if champion is None:
        comparison = Comparison(better=True, reason="there is no champion yet")
    elif champion.bundle.digest == challenger.bundle.digest:
        comparison = Comparison(better=False, reason="nothing new: the same bundle")
    else:
        comparison = measure(use_case, champion, evaluation, split, cause)
    get_run_logger().info("%s: %s", "Promote" if comparison.better else "Keep the champion", comparison.reason)
    return comparison


def measure(use_case: UseCase, champion: Version, evaluation: Evaluation, split: Split, cause: str) -> Comparison:
    """The verdict on the rows of the holdout that the champion has not learned from, with its numbers."""
    import pandas as pd

    rule, slices, problem = use_case.promotion, use_case.evaluation.slices, problem_of(use_case.target)
    bundle, metric = read_bundle(champion.bundle.path), problem.metrics[rule.metric]
    if bundle.contract.problem != problem.name:
        return _another_problem(use_case, champion.version, bundle.contract)
    new = contract_of(evaluation.contract)
    if gone := [name for name in bundle.contract.classes if name not in new.classes]:
        return _forgotten(use_case, champion.version, gone)
    unseen = unseen_rows(use_case, bundle, split)
    scores = pd.read_parquet(evaluation.scores_path)
    days = day_blocks(scores["time"].to_numpy() if "time" in scores else None, len(scores))
    if undecided := too_little(use_case, champion.version, unseen, days, problem.known(scores["target"])):
        return undecided
    scores, blocks = scores[unseen.rows], days[unseen.rows]
    target, ours = problem.known(scores["target"]), problem.read(scores[problem.column])
    frame = read_rows(split.snapshot, split.cut, split.snapshot.rows)[unseen.rows].reset_index(drop=True)
    outputs = Scorer(bundle.model, bundle.contract).outputs(model_input(encode(bundle.contract, frame)))
    theirs = problem.judged(problem.aligned(outputs, bundle.contract, new))

    of_ours, of_theirs = (metric.resampled(target, part) for part in (ours, theirs))

    def gained(rows: np.ndarray) -> float:
        return metric.gain(of_ours(rows), of_theirs(rows))

    before, after = metric.value(target, theirs), metric.value(target, ours)
    difference = metric.gain(after, before)
    lower = difference - slack(blocks, gained, rule.confidence)
    promised = problem.promised(bundle.contract), problem.promised(new)
    again = restored(promised, target, theirs, ours, blocks, rule.confidence)
    why = " and ".join(filter(None, [again, "drift is the cause" if "drift" in cause else ""]))
    better, told = judged(lower, use_case.monitoring.tolerance, why)
    parts = by_slice(frame, slices, target, problem, blocks, gained) if slices else []
    if better and (worse := shown_worse(parts, use_case.monitoring.tolerance, 1 - rule.confidence)):
        better, told = False, f"{told}, but shown worse where {worse.where}: {worse.value:+.4f} on {worse.rows:,} rows"
    return Comparison(
        better=better,
        reason=f"challenger {rule.metric} {after:.4f} against {before:.4f} on {len(target):,} labelled rows that neither "
        f"has learned from{unseen.told}{_came(bundle.contract, new)}; gain {difference:+.4f}, at least {lower:+.4f} with "
        f"{rule.confidence:.0%} confidence: {told}",
        metric=rule.metric,
        champion=before,
        challenger=after,
        difference=difference,
        lower=lower,
        confidence=rule.confidence,
        rows=len(target),
        slices=parts,
    )


def _another_problem(use_case: UseCase, version: str, champion: Contract) -> Comparison:
    """No metric has both a class and a number, so a person decides."""
    return Comparison(
        better=False,
        undecided=True,
        reason=f"undecided: version {version} answers a {champion.problem} problem, the challenger a "
        f"{use_case.target.problem} one; the champion stays; 'slipway release {use_case.name}' puts the other in its place",
    )


def _forgotten(use_case: UseCase, version: str, gone: list[Any]) -> Comparison:
    """A class that no row has any more is never answered again, and no metric of rows without it tells what that costs."""
    return Comparison(
        better=False,
        undecided=True,
        reason=f"undecided: version {version} knows class {few(gone)}, of which no row was left to learn from; the champion "
        f"stays; 'slipway release {use_case.name}' puts a version without it in its place",
    )


def _came(champion: Contract, challenger: Contract) -> str:
    came = [name for name in challenger.classes if name not in champion.classes]
    return f"; class {few(came)} is new, and the champion never answers it" if came else ""


def shown_worse(slices: list[Slice], tolerance: float, rate: float) -> Slice | None:
    """The slice that loses most, where it loses more than the tolerance and chance does not explain that at the rate.

    The rate is shared by all slices (Bonferroni), since one of many is always the worst.

    >>> one = Slice(where="c=x", value=-0.05, lower=-0.07, upper=-0.03, rows=900)
    >>> shown_worse([one], 0.01, 0.05) == one, shown_worse([one], 0.10, 0.05)
    (True, None)
    """
    worst = min(slices, key=lambda one: one.value, default=None)
    if worst is None or worst.value >= -tolerance:
        return None
    error = (worst.upper - worst.lower) / (2 * quantile(0.975, np.inf))
    return worst if worst.value + error * quantile(1 - rate / len(slices), np.inf) < 0 else None


def judged(lower: float, margin: float, why: str) -> tuple[bool, str]:
    """Whether a challenger takes over whose gain is at least `lower`, and how that is told.

    There may be a reason why being no worse, within a margin, is enough: drift is the cause, so that it knows rows that the
    other never saw, or its intervals hold what those of the other no longer do.

    >>> judged(-0.005, 0.01, ""), judged(-0.005, 0.01, "drift is the cause")
    ((False, 'not shown to be better'), (True, 'no worse (margin 0.01), and drift is the cause'))
    """
    if lower > 0:
        return True, "better"
    if why and lower > -margin:
        return True, f"no worse (margin {margin:g}), and {why}"
    return False, "not shown to be better"
