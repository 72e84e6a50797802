"""Say that a monitoring run came to its end, so that one that did not is noticed."""

from __future__ import annotations

from prefect import task
from prefect.events import emit_event

from configs.schema import UseCase


@task
def monitored(use_case: UseCase, windows: list[str]) -> None:
    """Emit `slipway.monitored`; where it stays away, the trigger of the deployment `missed` tells people."""
    resource = {"prefect.resource.id": f"slipway.use-case.{use_case.name}", "prefect.resource.name": use_case.name}
    emit_event(event="slipway.monitored", resource=resource, payload={"windows": windows})
