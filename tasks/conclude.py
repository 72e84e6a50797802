"""Conclude: what a monitoring run found, as alarms, a record and an artifact."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from configs.schema import UseCase
from configs.settings import report_address
from tasks.findings import describe, drift_page, findings, told, told_drift, told_performance
from tasks.history import record
from tasks.metrics import gain
from tasks.monitoring.alarms import CLEARLY_OVER, alarms
from tasks.values import Drift, Finding, Performance, Service, Version, Window


@task
def conclude(
    use_case: UseCase, window: Window, version: Version, drift: Drift, performance: Performance, service: Service
) -> Finding:
    """Decide which alarms are open."""
    until, found = window_end(window), causes(drift, performance, service)
    earlier = [f for f in findings(use_case.name) if f.window != window.name and f.until <= until]
    finding = Finding(
        use_case=use_case.name,
        window=window.name,
        until=until,
        version=version.version,
        rows=window.rows,
        drift=drift,
        performance=performance,
        service=service,
        causes=list(found),
        alarms=alarms(
            earlier[-1].alarms if earlier else {},
            found,
            _lingering(drift, performance),
            datetime.fromisoformat(until),
            use_case.monitoring.cooldown,
            window.name,
        ),
        report=report_address(drift_page(use_case.name, window.name)),
        false_alarm_rate=use_case.monitoring.false_alarm_rate,
        new_labels=_labels(window, performance) + sum(f.new_labels for f in earlier[-1:] if f.version == version.version),
    )
    create_markdown_artifact(key=f"finding-{use_case.name}", markdown=describe(finding), description=window.name)
    record(use_case.name, "finding", told(finding), window=window.name, version=version.version, causes=finding.causes)
    get_run_logger().info("Window %s: %s", window.name, told(finding))
    return finding


def causes(drift: Drift, performance: Performance, service: Service) -> dict[str, str]:
    """What is wrong, the gravest first, and why."""
    found = {}
    broken = [f"{name}: {told}" for name, told in drift.faults.items()] if drift.persists else []
    if service.fault:
        broken.append(service.fault)
    if broken:
        found["fault"] = "; ".join(broken)
    if performance.fell or performance.estimate_fell:
        found["performance" if performance.fell else "estimate"] = told_performance(performance)
    if drift.persists and (set(drift.matters) - set(drift.faults) or drift.matters_jointly):
        found["drift"] = told_drift(drift, performance.metric)
    if service.missed:
        found["target"] = "; ".join(service.missed.values())
    return found


def _lingering(drift: Drift, performance: Performance) -> set[str]:
    """Causes that are under their bound by less than a fifth of it, or of the way from what is expected to the floor."""
    near = {"drift", "fault"} if drift.highest > CLEARLY_OVER else set()
    value, floor = performance.value, performance.floor
    if value is not None and floor is not None:
        edge = performance.expected + CLEARLY_OVER * (floor - performance.expected)
        if gain(performance.metric, value, edge) < 0:
            near.add("performance")
    return near


def _labels(window: Window, performance: Performance) -> int:
    """How many labels the window has; of a sampled one, about."""
    return round(window.rows * performance.labelled / max(performance.rows, 1))


def window_end(window: Window) -> str:
    """When the window ended: its bound, or now where windows are counted in rows."""
    return datetime.now(UTC).isoformat() if window.end.isdigit() else window.end
