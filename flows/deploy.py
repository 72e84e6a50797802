"""Deploy: a registered version behind the gateway."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from flows.chain import roll_out
from tasks.lock import one_at_a_time
from tasks.quarantine import refuse_quarantined
from tasks.registry.versions import get_version, the_champion
from tasks.rollouts.come_back import come_back
from tasks.rollouts.state import refuse_during_rollout, under_way


@flow(name="deploy", flow_run_name="deploy-{use_case}")
def deploy(use_case: str = "flights", version: str | None = None, reason: str = "deployed by a person") -> str:
    """Bring a version up, test it over HTTP, and switch to it; what is up already stays as it is.

    Args:
        use_case: A name in `configs/`.
        version: A version's number. Empty: the champion, brought back where it is down, also during a rollout.
        reason: Why, for the history.

    Returns:
        The version that serves.
    """
    case = load_use_case(use_case)
    with one_at_a_time(case.name) as began:
        if version is None and under_way(case.name):  # whose servers the next look brings back
            return come_back(case)
        refuse_during_rollout(case.name)
        target = get_version(case.name, version) if version else the_champion(case.name)
        if version:
            refuse_quarantined(case.name, target.version)
        roll_out(case, target, reason, began)
    return target.version
