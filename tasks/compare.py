"""Compare: champion against challenger on the same newest labelled rows, which neither has learned from."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from configs.schema import UseCase
from serving.bundle import read_bundle
from serving.scoring import Scorer
from tasks.frames import encode, read_rows
from tasks.history import record
from tasks.metrics import day_blocks, gain, resamples, score
from tasks.register import registry
from tasks.values import Comparison, Evaluation, Split, Version

RESAMPLES = 500


@task
def compare(
    use_case: UseCase, champion: Version | None, challenger: Version, evaluation: Evaluation, split: Split, cause: str
) -> Comparison:
    """Decide whether the challenger is better, and keep the reason either way.

    Both are scored on the holdout; the difference is resampled by whole days (paired), and the challenger is better when
    the lower confidence bound of its gain is above zero. The challenger is judged by the candidate that was fitted
    without these rows. `evaluation.scores` holds its answers.
    """
    if champion is None:
        comparison = _verdict(use_case, None, float("nan"), np.array([np.inf]), 0, "there is no champion yet")
    elif champion.bundle.digest == challenger.bundle.digest:
        comparison = _verdict(use_case, None, float("nan"), np.array([-np.inf]), 0, "nothing new: the same bundle")
    else:
        comparison = _measure(use_case, champion, evaluation, split)
    told = {
        "cause": cause,
        "until": challenger.tags.get("until", ""),
        "against": champion.version if champion else "",
        "version": challenger.version,
    }
    record(use_case.name, "verdict", comparison.reason, **told, **comparison.model_dump(exclude={"reason"}))
    client = registry()
    client.set_model_version_tag(use_case.name, challenger.version, "verdict", comparison.reason)
    client.set_model_version_tag(use_case.name, challenger.version, "cause", cause)
    create_markdown_artifact(
        key=f"verdict-{use_case.name}",
        markdown=f"# {use_case.name}: version {challenger.version} against {told['against'] or 'none'}\n\n"
        f"Cause: {cause}. **{'Promoted' if comparison.better else 'Kept the champion'}**: {comparison.reason}",
    )
    get_run_logger().info("%s: %s", "Promote" if comparison.better else "Keep the champion", comparison.reason)
    return comparison


@task
def keep_champion(use_case: UseCase, champion: Version | None, until: datetime | None, cause: str, failure: str) -> str:
    """The verdict on a candidate that failed a gate: nothing was built from it, and the champion stays."""
    reason = f"the candidate failed its gates: {failure}"
    known = until.isoformat() if until else ""
    against = champion.version if champion else ""
    record(use_case.name, "verdict", reason, cause=cause, until=known, against=against, version="", better=False)
    create_markdown_artifact(
        key=f"verdict-{use_case.name}",
        markdown=f"# {use_case.name}: no challenger\n\nCause: {cause}. **Kept the champion**: {reason}",
    )
    get_run_logger().warning("Keep the champion: %s", reason)
    return reason


def _measure(use_case: UseCase, champion: Version, evaluation: Evaluation, split: Split) -> Comparison:
    import pandas as pd

    metric = use_case.promotion.metric
    scores = pd.read_parquet(evaluation.scores_path)
    target, ours = scores["target"].to_numpy(), scores["probability"].to_numpy()
    bundle = read_bundle(champion.bundle.path)
    encoded = encode(bundle.contract, read_rows(split.snapshot, split.cut, split.snapshot.rows))
    arrays = {name: encoded[name].to_numpy().reshape(-1, 1) for name in bundle.contract.names}
    theirs = Scorer(bundle.model).probabilities(arrays)[:, 1]
    blocks = day_blocks(scores["time"].to_numpy() if "time" in scores else None, len(scores))
    gains = np.array(
        [
            gain(metric, score(metric, target[rows], ours[rows]), score(metric, target[rows], theirs[rows]))
            for rows in resamples(blocks, RESAMPLES, len(np.unique(blocks)), seed=0)
        ]
    )
    return _verdict(use_case, score(metric, target, theirs), score(metric, target, ours), gains, len(target), "")


def _verdict(
    use_case: UseCase, champion: float | None, challenger: float, gains: np.ndarray, rows: int, reason: str
) -> Comparison:
    rule = use_case.promotion
    lower = float(np.nanquantile(gains, 1 - rule.confidence)) if np.isfinite(gains).all() else float(gains[0])
    difference = gain(rule.metric, challenger, champion) if champion is not None else float("nan")
    better = lower > 0
    if not reason:
        reason = (
            f"challenger {rule.metric} {challenger:.4f} against {champion:.4f} on the newest {rows:,} labelled rows; "
            f"gain {difference:+.4f}, at least {lower:+.4f} with {rule.confidence:.0%} confidence: "
            f"{'better' if better else 'not shown to be better'}"
        )
    finite = lower if np.isfinite(lower) else 0.0
    return Comparison(
        metric=rule.metric,
        champion=champion,
        challenger=0.0 if np.isnan(challenger) else challenger,
        difference=0.0 if np.isnan(difference) else difference,
        lower=finite,
        confidence=rule.confidence,
        rows=rows,
        better=better,
        reason=reason,
    )
