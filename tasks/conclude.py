"""Conclude: what a monitoring run found, as a record, an artifact and a Prefect event."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from configs.schema import UseCase
from tasks.findings import describe, finding_path, told
from tasks.history import record
from tasks.values import DriftReport, Finding, Performance, Version, Window, write_atomically


@task
def conclude(use_case: UseCase, window: Window, version: Version, report: DriftReport, performance: Performance) -> Finding:
    """Keep the finding and emit it.

    The event is `slipway.drift`, `slipway.performance` or `slipway.healthy`; it carries `slipway.retrain: yes` where the
    use case wants a retraining for that cause, which is what the triggers in `prefect.yaml` look for. One window starts
    one retraining at most, whatever it found.
    """
    causes = [name for name, found in (("drift", report.drift.detected), ("performance", performance.fell)) if found]
    finding = Finding(
        use_case=use_case.name,
        window=window.name,
        until=window_end(window),
        version=version.version,
        rows=window.rows,
        drift=report.drift,
        performance=performance,
        causes=causes,
        report=report.address,
    )
    create_markdown_artifact(key=f"finding-{use_case.name}", markdown=describe(finding), description=window.name)
    record(use_case.name, "finding", told(finding), window=window.name, version=version.version, causes=causes)
    wanted = next((cause for cause in causes if cause in use_case.retraining.on), None)
    for cause in causes or ["healthy"]:
        emit_event(
            event=f"slipway.{cause}",
            resource={
                "prefect.resource.id": f"slipway.use-case.{use_case.name}",
                "prefect.resource.name": use_case.name,
                "slipway.retrain": "yes" if cause == wanted else "no",
            },
            payload={
                "use_case": use_case.name,
                "window": window.name,
                "until": finding.until,
                "cause": " and ".join(causes) or "none",
                "told": told(finding),
                "report": report.address,
            },
        )
    write_atomically(finding_path(use_case.name, window.name), finding.model_dump_json(indent=1).encode())
    get_run_logger().info("Window %s: %s", window.name, told(finding))
    return finding


def window_end(window: Window) -> str:
    """When the window ended: its bound, or now where windows are counted in rows."""
    return datetime.now(UTC).isoformat() if window.end.isdigit() else window.end
