"""Conclude: what a look at a window found, as alarms, a record and an artifact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from configs.schema import UseCase
from configs.settings import report_address, service_address
from tasks.fairness.told import told_judged
from tasks.fairness.values import FairnessFound
from tasks.history import record
from tasks.log.values import Window
from tasks.monitoring.alerts.alarms import CLEARLY_OVER, alarms
from tasks.monitoring.drift.null import OTHER_SHARE
from tasks.monitoring.findings import (
    describe,
    drift_page,
    findings,
    told,
    told_drift,
    told_performance,
    told_reasons,
    told_review,
)
from tasks.monitoring.looks import due
from tasks.monitoring.values import Drift, Finding, Group, Performance, ReasonFlow, Reviewed, Service
from tasks.problems.metrics import gain
from tasks.registry.values import Version

ALL = frozenset({"fault", "drift", "performance", "estimate", "fairness", "objective", "reasons", "review"})
NEXT = timedelta(microseconds=1)  # two looks never have the same moment


@task
def conclude(
    use_case: UseCase,
    window: Window,
    serving: Version,
    judged: list[Group],
    service: Service,
    reviewed: Reviewed | None = None,
) -> Finding:
    """Decide which alarms are open after this look. They come from the group of the version that leads."""
    others = [Group(version=p.version, rows=p.rows, not_judged=p.not_judged) for p in window.parts if p.not_judged]
    groups = sorted([*judged, *others], key=lambda group: (len(group.version), group.version))
    known = findings(use_case.name)
    until, moment = _times(use_case, window, known)
    before = max((f for f in known if _moment(f) < moment), key=_moment, default=None)
    lead = leading(judged, serving.version)
    version = lead.version if lead else serving.version
    found = causes_of(window, lead, service) | review_causes(reviewed)
    finding = Finding(
        use_case=use_case.name,
        window=window.name,
        look=window.look,
        until=until,
        moment=moment.isoformat(timespec="microseconds"),
        due=due(use_case, until).isoformat(),
        version=version,
        rows=window.rows,
        labelled=window.labelled,
        strays=window.strays,
        groups=groups,
        service=service,
        reviewed=reviewed,
        causes=list(found),
        alarms=alarms(
            before.alarms if before else {},
            found,
            _lingering(lead) | (ALL - _judged(use_case, window, lead, service)),
            moment,
            use_case.monitoring.cooldown,
            window.name,
        ),
        report=_report(use_case, window, version, lead),
        false_alarm_rate=use_case.monitoring.false_alarm_rate * (1 if window.look == "first" else OTHER_SHARE),
        new_labels=_new_labels(window, known) + (before.new_labels if before and before.version == version else 0),
    )
    create_markdown_artifact(key=f"finding-{use_case.name}", markdown=describe(finding), description=finding.title)
    record(use_case.name, "finding", told(finding), window=finding.title, version=version, causes=finding.causes)
    get_run_logger().info("Window %s: %s", finding.title, told(finding))
    return finding


def leading(judged: list[Group], serving: str) -> Group | None:
    """The group of the version that serves, else of the latest."""
    return next((group for group in judged if group.version == serving), judged[-1] if judged else None)


def causes_of(window: Window, lead: Group | None, service: Service) -> dict[str, str]:
    """What is wrong, and why; a look with labels has nothing to say about drift and the service, the first one did."""
    drift, performance, fairness = (lead.drift, lead.performance, lead.fairness) if lead else (None, None, None)
    found = causes(drift, performance, service, fairness, lead.reasons if lead else None)
    if window.look == "labels":
        found = {cause: reason for cause, reason in found.items() if cause in ("performance", "fairness", "objective")}
    if lead and len(window.parts) > 1:
        own = ("drift", "performance", "estimate", "fairness", "reasons")
        found = {cause: f"{reason} (version {lead.version})" if cause in own else reason for cause, reason in found.items()}
    return found


def causes(
    drift: Drift | None,
    performance: Performance | None,
    service: Service,
    fairness: FairnessFound | None = None,
    reasons: ReasonFlow | None = None,
) -> dict[str, str]:
    """What is wrong, the gravest first, and why."""
    found = {}
    broken = [f"{name}: {told}" for name, told in drift.faults.items()] if drift and drift.persists else []
    if service.fault:
        broken.append(service.fault)
    if broken:
        found["fault"] = "; ".join(broken)
    narrow = bool(performance and performance.coverage and performance.coverage.fell)
    if performance and (performance.fell or narrow or performance.estimate_fell):
        found["performance" if performance.fell or narrow else "estimate"] = told_performance(performance)
    if fairness and fairness.those("violated"):
        found["fairness"] = "; ".join(told_judged(each) for each in fairness.those("violated"))
    if drift and performance and drift.persists and (set(drift.matters) - set(drift.faults) or drift.matters_jointly):
        found["drift"] = told_drift(drift, performance.metric)
    if reasons and reasons.alarms and reasons.persists and reasons.moved:
        found["reasons"] = told_reasons(reasons)
    if service.missed:
        found["objective"] = "; ".join(service.missed.values())
    return found


def review_causes(reviewed: Reviewed | None) -> dict[str, str]:
    """What is wrong about what people decide, and why."""
    return {"review": told_review(reviewed)} if reviewed and (reviewed.more or reviewed.late) else {}


def _judged(use_case: UseCase, window: Window, lead: Group | None, service: Service) -> set[str]:
    """Causes that this look can say something about; alarms of the others stay as they are."""
    measured = {"performance"} if lead and lead.performance and lead.performance.value is not None else set()
    if use_case.fairness is None or (lead and lead.fairness and lead.fairness.verdict != "too few"):
        measured.add("fairness")
    if window.look == "labels":
        return measured
    answered = {"drift", "estimate", "fault"} if lead else set()
    if lead and lead.reasons and lead.reasons.columns:
        answered.add("reasons")
    return measured | answered | {"objective", "review"} | ({"fault"} if service.fault else set())


def _lingering(lead: Group | None) -> set[str]:
    """Causes that are under their bound by less than a fifth of it, or of the way from what is expected to the floor.

    Of fairness what is undecided.
    """
    if lead is None or lead.performance is None:
        return set()
    near = {"drift", "fault"} if lead.drift and lead.drift.highest > CLEARLY_OVER else set()
    if lead.reasons and lead.reasons.alarms and lead.reasons.highest > CLEARLY_OVER:
        near.add("reasons")
    if lead.fairness and lead.fairness.those("undecided"):
        near.add("fairness")
    performance = lead.performance
    value, floor = performance.value, performance.floor
    if value is not None and floor is not None:
        edge = performance.expected + CLEARLY_OVER * (floor - performance.expected)
        if gain(performance.metric, value, edge) < 0:
            near.add("performance")
    return near


def _moment(finding: Finding) -> datetime:
    return datetime.fromisoformat(finding.moment_of_look)


def _times(use_case: UseCase, window: Window, known: list[Finding]) -> tuple[str, datetime]:
    """When the window ended, and the moment of this look; both stay what they were where the look is done again.

    Windows that are counted in rows end now.
    """
    same = next((f for f in known if f.window == window.name and f.look == window.look), None)
    if same:
        return same.until, _moment(same)
    first = next((f for f in known if f.window == window.name), None)
    ended = datetime.now(UTC).isoformat() if window.end.isdigit() else window.end
    until = first.until if first else ended
    usual = datetime.fromisoformat(until) if window.look == "first" else due(use_case, until)
    return until, max([usual, *(_moment(finding) + NEXT for finding in known)])


def _new_labels(window: Window, known: list[Finding]) -> int:
    """How many labels no look has seen."""
    if window.look == "first":
        return window.labelled
    return window.labelled - sum(f.labelled for f in known if f.window == window.name and f.look == "first")


def _report(use_case: UseCase, window: Window, version: str, lead: Group | None) -> str:
    """Where the page of the version that leads lies; without one, where the run is."""
    if lead is None:
        return service_address("prefect")
    return report_address(drift_page(use_case.name, window.model_copy(update={"version": version, "look": "first"}).page))
