"""Retrain: a challenger from everything known by now, against the champion."""

from __future__ import annotations

from prefect import flow

from configs.forms import Moment
from configs.load import load_use_case
from flows.chain import build, roll_out
from flows.rollout import rollout
from tasks.clock import current_time
from tasks.lock import one_at_a_time
from tasks.registry.verdicts import keep_champion, told
from tasks.registry.versions import champion
from tasks.rollouts.begin import begin
from tasks.rollouts.state import under_way
from tasks.training.compare import compare
from tasks.training.failed import GateFailed
from tasks.training.may_retrain import may_retrain


@flow(name="retrain", flow_run_name="retrain-{use_case}-{cause}")
def retrain(use_case: str = "flights", until: Moment | None = None, cause: str = "a person") -> str:
    """Build a challenger, compare it with the champion on rows that neither has learned from, and switch if it is better.

    Where the use case declares a rollout, a better challenger begins it instead.

    Where drift is the cause, being no worse is enough. Where there are too few such rows, the champion stays.

    Args:
        use_case: A name in `configs/`.
        until: Learn only from rows whose label was known then. Empty: up to now, or to where a replay stands.
        cause: What started this: drift, performance, estimate, labels, schedule, a person. The last two are never held back.

    Returns:
        The verdict in one line.
    """
    case = load_use_case(use_case)
    with one_at_a_time(case.name) as began:
        if (rolling := under_way(case.name)) is not None:
            return f"no retraining: version {rolling.challenger.version} is being rolled out, and is judged first"
        serving = champion(case.name)
        until = until or current_time(case)
        if reason := may_retrain(case, until, cause, serving):
            return reason
        try:
            challenger = build(case, until)
        except GateFailed as failure:
            return keep_champion(case, serving, until, cause, str(failure))
        verdict = compare(case, serving, challenger.version, challenger.evaluation, challenger.split, cause)
        with told(case, serving, challenger.version, cause, verdict, case.rollout is not None and serving is not None):
            if verdict.better and case.rollout and serving:
                begin(case, [challenger.version], f"{cause}: {verdict.reason}", began, "a retraining")
            elif verdict.better:
                roll_out(case, challenger.version, f"{cause}: {verdict.reason}", began)
    return f"{verdict.reason}; {rollout(case.name)}" if under_way(case.name) else verdict.reason
