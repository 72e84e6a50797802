"""Whether a finding may start a retraining now: cooldown, back-off after challengers that did not serve, a budget a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from prefect import get_run_logger, task

from configs.schema import Cause, Retraining, UseCase
from tasks.history import read_history, record
from tasks.registry.values import Version
from tasks.training.own import with_source

HELD_BACK = (*get_args(Cause), "labels")
WEEK = timedelta(days=7)
MOST_DOUBLINGS = 6


@task
def may_retrain(use_case: UseCase, until: datetime | None, cause: str, serving: Version | None = None) -> str | None:
    """Why not, or None where it may. The reason is kept in the history; a person and a schedule always may.

    But the own file that serves already is not trained, whoever asks.
    """
    reason, moment = serves_already(use_case, serving), until or datetime.now(UTC)
    if not reason and not any(cause.startswith(held) for held in HELD_BACK):
        return None
    reason = reason or held_back(use_case.retraining, verdicts_of(use_case.name), moment)
    if reason:
        told = {entry["until"] for entry in read_history(use_case.name, "declined")}
        if moment.isoformat() not in told:  # a storm of events is one line
            record(use_case.name, "declined", reason, cause=cause, until=moment.isoformat())
        get_run_logger().info("No retraining: %s", reason)
    return reason


def serves_already(use_case: UseCase, serving: Version | None) -> str | None:
    """Why an own file would be no challenger: it is what serves. None where it is another one, or the model is none."""
    recipe = use_case.recipe
    if recipe.model.onnx is None or serving is None:
        return None
    if with_source(recipe).source != serving.tags.get("model_file"):
        return None
    return (
        f"version {serving.version} serves {recipe.model.named}, a file that is not trained here; put another file in its "
        "place, or give 'model.estimator'"
    )


def verdicts_of(use_case: str) -> list[dict[str, Any]]:
    """The verdicts so far, oldest first; a challenger that its rollout took back did not come to serve."""
    back = {entry["version"] for entry in read_history(use_case, "rollout") if entry["move"] == "failed"}
    verdicts = read_history(use_case, "verdict")
    return [{**each, "promoted": False} if each.get("rollout") and each["version"] in back else each for each in verdicts]


def held_back(rules: Retraining, verdicts: list[dict[str, Any]], moment: datetime) -> str | None:
    """Why a retraining at that moment has to wait, by the verdicts so far, oldest first.

    A challenger that was better and that a gate kept from serving has lost too. An undecided verdict is none: the next one
    is due when there can be enough rows.

    >>> lost = {"until": "2013-05-01T00:00:00+00:00", "cause": "drift", "better": False}
    >>> held_back(Retraining(), [lost], datetime(2013, 5, 2, tzinfo=UTC))
    'after 1 challenger in a row that did not come to serve, the next retraining is due on 2013-05-03 00:00'
    """
    started = [entry for entry in verdicts if any(entry["cause"].startswith(held) for held in HELD_BACK) and entry["until"]]
    if not started:
        return None
    moments = [datetime.fromisoformat(entry["until"]) for entry in started]
    if moments[-1] == moment:
        return f"this moment ({moment:%Y-%m-%d %H:%M}) has its verdict: {started[-1].get('reason', '')}"
    if (again := started[-1].get("again")) and moment < datetime.fromisoformat(again):
        return f"the last verdict was undecided, and there are too few rows before {again[:16].replace('T', ' ')}"
    decided = [entry.get("promoted", entry["better"]) for entry in started if not entry.get("undecided")]
    lost = next((n for n, promoted in enumerate(reversed(decided)) if promoted), len(decided))
    due = moments[-1] + rules.cooldown * 2 ** min(lost, MOST_DOUBLINGS)
    if moment < due:
        why = (
            f"after {lost} challenger{'s' * (lost > 1)} in a row that did not come to serve"
            if lost
            else f"{rules.cooldown} after the last one"
        )
        return f"{why}, the next retraining is due on {due:%Y-%m-%d %H:%M}"
    if rules.budget is not None and sum(moment - WEEK < each for each in moments) >= rules.budget:
        return f"the budget of {rules.budget} a week is spent"
    return None
