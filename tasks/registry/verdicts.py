"""Verdicts: what became of a challenger, written when it has happened: history, artifact, tags of the version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from configs.errors import CheckFailed
from configs.schema import UseCase
from tasks.history import record
from tasks.registry.values import Version
from tasks.registry.versions import tag_version
from tasks.training.slices import slices_table
from tasks.training.values import Comparison


@contextmanager
def told(
    use_case: UseCase,
    champion: Version | None,
    challenger: Version,
    cause: str,
    comparison: Comparison,
    rollout: bool = False,
) -> Iterator[None]:
    """Record the verdict behind the roll-out that it leads to: promoted is what was switched to, or what meets requests
    step by step from now on (`rollout`).

    Where a check stops the roll-out (a gate, an image that cannot be built or pushed), that is the verdict, and the error
    goes on. A roll-out that was killed leaves no verdict: the next run comes to it again.
    """
    try:
        yield
    except CheckFailed as closed:
        stopped = f"{comparison.reason}. It does not serve: {closed}"
        _keep(use_case, champion, challenger, cause, comparison.model_copy(update={"reason": stopped}), promoted=False)
        raise
    rolling = rollout and comparison.better
    _keep(use_case, champion, challenger, cause, comparison, promoted=comparison.better, rollout=rolling)


@task
def keep_champion(use_case: UseCase, champion: Version | None, until: datetime | None, cause: str, failure: str) -> str:
    """The verdict on a candidate that failed a gate: nothing was built from it, and the champion stays."""
    comparison = Comparison(better=False, reason=f"the candidate failed its gates: {failure}")
    _record(use_case, champion, "", until.isoformat() if until else "", cause, comparison, promoted=False)
    get_run_logger().warning("Keep the champion: %s", comparison.reason)
    return comparison.reason


def _keep(
    use_case: UseCase,
    champion: Version | None,
    challenger: Version,
    cause: str,
    comparison: Comparison,
    promoted: bool,
    rollout: bool = False,
) -> None:
    _record(use_case, champion, challenger.version, challenger.tags.get("until", ""), cause, comparison, promoted, rollout)
    tag_version(use_case.name, challenger.version, "verdict", comparison.reason)
    tag_version(use_case.name, challenger.version, "cause", cause)


def _record(
    use_case: UseCase,
    champion: Version | None,
    version: str,
    until: str,
    cause: str,
    comparison: Comparison,
    promoted: bool,
    rollout: bool = False,
) -> None:
    """The verdict in the history and as an artifact of the run."""
    against, details = champion.version if champion else "", comparison.model_dump(exclude={"reason"})
    details |= {
        "cause": cause,
        "until": until,
        "against": against,
        "version": version,
        "promoted": promoted,
        "rollout": rollout,
    }
    record(use_case.name, "verdict", comparison.reason, **details)
    create_markdown_artifact(
        key=f"verdict-{use_case.name}",
        markdown=f"# {use_case.name}: {f'version {version}' if version else 'a candidate'} against {against or 'none'}\n\n"
        f"Cause: {cause}. **{outcome(comparison, promoted, rollout)}**: {comparison.reason}\n\n"
        + slices_table(f"gain of {comparison.metric}", comparison.slices),
    )


def outcome(comparison: Comparison, promoted: bool, rollout: bool) -> str:
    """What happened, in a few words."""
    if rollout:
        return "Better, its rollout began"
    if promoted:
        return "Promoted"
    if comparison.better:
        return "Better, but a check stopped it"
    return "Undecided" if comparison.undecided else "Kept the champion"
