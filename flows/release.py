"""Release: from the source to a champion behind the gateway."""

from __future__ import annotations

from prefect import flow, get_run_logger

from configs.forms import Moment
from flows.chain import build, roll_out
from tasks.clock import current_time
from tasks.lock import one_at_a_time
from tasks.onboarding.infer import whole
from tasks.rollouts.state import refuse_during_rollout


@flow(name="release", flow_run_name="release-{use_case}")
def release(use_case: str = "flights", until: Moment | None = None, reason: str = "released by a person") -> str:
    """Train, test and deploy a use case, and send it all the traffic at once; a retraining ends in its rollout.

    Args:
        use_case: A name in `configs/`, for example `flights` or `loans`.
        until: Learn only from rows whose label was known then. Empty: up to now, or to where a replay stands.
        reason: Why, for the history.

    Returns:
        The version that serves.
    """
    case = whole(use_case, get_run_logger().info)
    with one_at_a_time(case.name) as began:
        refuse_during_rollout(case.name)
        challenger = build(case, until or current_time(case))
        roll_out(case, challenger.version, reason, began)
    return challenger.version.version
