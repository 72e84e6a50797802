"""Say that a monitoring run came to its end, so that one that did not is noticed; and who could not be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event
from prefect.states import Completed

from configs.schema import UseCase
from tasks.monitoring.findings import unreadable_findings


@task
def monitored(use_case: UseCase, windows: list[str], untold: Mapping[str, str]) -> None:
    """Emit `slipway.monitored`; where it stays away, the trigger of the deployment `missed` tells people."""
    for path in unreadable_findings(use_case.name):
        told = "%s is no finding of this version; its window counts as looked at, 'slipway monitor --window' looks again"
        get_run_logger().warning(told, path)
    resource = {"prefect.resource.id": f"slipway.use-case.{use_case.name}", "prefect.resource.name": use_case.name}
    emit_event(event="slipway.monitored", resource=resource, payload={"windows": windows, "untold": dict(untold)})
    if untold:
        rows = "".join(f"| {channel} | {why} |\n" for channel, why in untold.items())
        markdown = f"# Not told\n\nThe next run tries again.\n\n| channel | why |\n|---|---|\n{rows}"
        create_markdown_artifact(key=f"untold-{use_case.name}", markdown=markdown, description="Channels that took nothing")


def ended(windows: list[str], untold: Mapping[str, str]) -> Any:
    """The end of the run: its windows, and in its message the channels that could not be told."""
    told = "; ".join(f"not told: {channel} ({why})" for channel, why in untold.items())
    return Completed(message=told or f"{len(windows)} windows looked at", data=windows)
