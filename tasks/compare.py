"""Compare: champion against challenger on the same newest labelled rows, which neither has learned from."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from configs.schema import UseCase
from serving.bundle import read_bundle
from serving.scoring import Scorer
from tasks.frames import encode, model_input, read_rows
from tasks.history import record
from tasks.metrics import day_blocks, gain, resamples, score
from tasks.monitoring.null import quantile
from tasks.registry import registry
from tasks.slices import by_slice, slices_table
from tasks.values import Comparison, Evaluation, Slice, Split, Version

RESAMPLES = 500


@task
def compare(
    use_case: UseCase, champion: Version | None, challenger: Version, evaluation: Evaluation, split: Split, cause: str
) -> Comparison:
    """Decide whether the challenger is better, and keep the reason either way.

    Both are scored on the holdout; the difference is resampled by whole days (paired). The challenger is judged by the
    candidate that was fitted without these rows; `evaluation.scores` holds its answers. A slice that is shown to lose more
    than `monitoring.tolerance` keeps the champion.
    """
    if champion is None:
        comparison = Comparison(better=True, reason="there is no champion yet")
    elif champion.bundle.digest == challenger.bundle.digest:
        comparison = Comparison(better=False, reason="nothing new: the same bundle")
    else:
        comparison = measure(use_case, champion, evaluation, split, cause)
    known, against = challenger.tags.get("until", ""), champion.version if champion else ""
    _keep(use_case, cause, known, against, challenger.version, comparison)
    client = registry()
    client.set_model_version_tag(use_case.name, challenger.version, "verdict", comparison.reason)
    client.set_model_version_tag(use_case.name, challenger.version, "cause", cause)
    get_run_logger().info("%s: %s", "Promote" if comparison.better else "Keep the champion", comparison.reason)
    return comparison


@task
def keep_champion(use_case: UseCase, champion: Version | None, until: datetime | None, cause: str, failure: str) -> str:
    """The verdict on a candidate that failed a gate: nothing was built from it, and the champion stays."""
    comparison = Comparison(better=False, reason=f"the candidate failed its gates: {failure}")
    against = champion.version if champion else ""
    _keep(use_case, cause, until.isoformat() if until else "", against, "", comparison)
    get_run_logger().warning("Keep the champion: %s", comparison.reason)
    return comparison.reason


def _keep(use_case: UseCase, cause: str, until: str, against: str, version: str, comparison: Comparison) -> None:
    """The verdict in the history and as an artifact of the run."""
    details = comparison.model_dump(exclude={"reason"})
    record(
        use_case.name, "verdict", comparison.reason, cause=cause, until=until, against=against, version=version, **details
    )
    outcome = "Promoted" if comparison.better else "Kept the champion"
    create_markdown_artifact(
        key=f"verdict-{use_case.name}",
        markdown=f"# {use_case.name}: {f'version {version}' if version else 'a candidate'} against {against or 'none'}\n\n"
        f"Cause: {cause}. **{outcome}**: {comparison.reason}\n\n"
        + slices_table(f"gain of {comparison.metric}", comparison.slices),
    )


def measure(use_case: UseCase, champion: Version, evaluation: Evaluation, split: Split, cause: str) -> Comparison:
    """The verdict on the holdout, with its numbers."""
    import pandas as pd

    rule, slices = use_case.promotion, use_case.evaluation.slices
    scores = pd.read_parquet(evaluation.scores_path)
    target, ours = scores["target"].to_numpy(), scores["probability"].to_numpy()
    bundle = read_bundle(champion.bundle.path)
    frame = read_rows(split.snapshot, split.cut, split.snapshot.rows)
    encoded = encode(bundle.contract, frame)
    theirs = Scorer(bundle.model).probabilities(model_input(encoded))[:, 1]
    blocks = day_blocks(scores["time"].to_numpy() if "time" in scores else None, len(scores))

    def gained(rows: np.ndarray) -> float:
        after, before = (score(rule.metric, target[rows], part[rows]) for part in (ours, theirs))
        return gain(rule.metric, after, before)

    gains = [gained(rows) for rows in resamples(blocks, RESAMPLES, len(np.unique(blocks)), seed=0)]
    before, after = score(rule.metric, target, theirs), score(rule.metric, target, ours)
    lower, difference = float(np.nanquantile(gains, 1 - rule.confidence)), gain(rule.metric, after, before)
    better, told = judged(lower, use_case.monitoring.tolerance if "drift" in cause else 0.0)
    parts = by_slice(frame, slices, target, blocks, gained) if slices else []
    if better and (worse := shown_worse(parts, use_case.monitoring.tolerance, 1 - rule.confidence)):
        better, told = False, f"{told}, but shown worse where {worse.where}: {worse.value:+.4f} on {worse.rows:,} rows"
    return Comparison(
        better=better,
        reason=f"challenger {rule.metric} {after:.4f} against {before:.4f} on the newest {len(target):,} labelled rows; "
        f"gain {difference:+.4f}, at least {lower:+.4f} with {rule.confidence:.0%} confidence: {told}",
        metric=rule.metric,
        champion=before,
        challenger=after,
        difference=difference,
        lower=lower,
        confidence=rule.confidence,
        rows=len(target),
        slices=parts,
    )


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


def judged(lower: float, margin: float) -> tuple[bool, str]:
    """Whether a challenger takes over whose gain is at least `lower`, and how that is told.

    With a margin, which it has where drift is the cause, being no worse is enough: it knows rows that the other never saw.

    >>> judged(-0.005, 0.0), judged(-0.005, 0.01)
    ((False, 'not shown to be better'), (True, 'no worse (margin 0.01), and drift is the cause'))
    """
    if lower > 0:
        return True, "better"
    if lower > -margin:
        return True, f"no worse (margin {margin:g}), and drift is the cause"
    return False, "not shown to be better"
