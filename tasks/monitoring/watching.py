"""Whether Prefect watches a use case: its deployments, their schedules and triggers; paused, resumed and taken away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

TAG = "slipway"


def resume(use_case: str) -> int:
    """Switch schedules and triggers on; returns how many deployments were paused before."""
    client = _client()
    paused = [each for each in deployments(client, use_case) if each.paused]
    for deployment in paused:
        client.resume_deployment(deployment.id)
        for automation in triggers(client, deployment):
            client.resume_automation(automation.id)
    return len(paused)


def pause(use_case: str) -> None:
    """Switch schedules and triggers off. A person can still run each deployment."""
    client = _client()
    for deployment in deployments(client, use_case):
        client.pause_deployment(deployment.id)
        for automation in triggers(client, deployment):
            client.pause_automation(automation.id)


def remove(use_case: str) -> None:
    """Take the deployments away, with their schedules and triggers. Their runs stay."""
    client = _client()
    for deployment in deployments(client, use_case):
        client.delete_resource_owned_automations(_resource(deployment))
        client.delete_deployment(deployment.id)


def look_by_schedule(use_case: str, flow: str, active: bool) -> None:
    """Switch the schedules of one of a use case's flows on or off; nothing where they are so."""
    client = _client()
    for deployment in deployments(client, use_case, flow):
        for schedule in deployment.schedules:
            if schedule.active != active:
                client.update_deployment_schedule(deployment.id, schedule.id, active=active)


def next_looks() -> dict[str, str]:
    """When each use case is looked at next, or why it is not."""
    found: dict[str, str] = {}
    for deployment in deployments(_client(), flow="monitor"):
        on = [each.schedule for each in deployment.schedules if each.active]
        if deployment.paused:
            found[deployment.name] = "not watched: paused"
        elif not on:
            found[deployment.name] = "not watched: no schedule"
        else:
            found[deployment.name] = _next(on[0])
    return found


def deployments(client: Any, use_case: str | None = None, flow: str | None = None) -> list[Any]:
    """Those of a use case, or of a flow."""
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterName,
        DeploymentFilterTags,
        FlowFilter,
        FlowFilterName,
    )

    wanted = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    if use_case is not None:
        wanted.name = DeploymentFilterName(any_=[use_case])
    of = FlowFilter(name=FlowFilterName(any_=[flow])) if flow else None
    found: list[Any] = []
    while page := client.read_deployments(flow_filter=of, deployment_filter=wanted, limit=200, offset=len(found)):
        found += page
    return found


def triggers(client: Any, deployment: Any) -> list[Any]:
    """Everything that starts a deployment by itself; the server does not tell whose it is."""
    found: list[Any] = client.read_resource_related_automations(_resource(deployment))
    return found


def _resource(deployment: Any) -> str:
    return f"prefect.deployment.{deployment.id}"


def _next(schedule: Any) -> str:
    zone = ZoneInfo(schedule.timezone or "UTC")
    return f"next {next(CronSim(schedule.cron, datetime.now(UTC).astimezone(zone))):%Y-%m-%d %H:%M} {zone.key}"


def _client() -> Any:
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)
