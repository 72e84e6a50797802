"""What monitoring found: one file a window, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from configs.schema import UseCase
from configs.settings import made, reports, use_case_home
from tasks.fairness.told import section, told_judged
from tasks.log.values import Look, Window
from tasks.monitoring.values import (
    LEAST_SHIFT,
    ColumnDrift,
    Drift,
    Finding,
    Group,
    Performance,
    ReasonFlow,
    Reviewed,
    Service,
)
from tasks.review.values import Share
from tasks.training.slices import slices_table

REASONS = 10  # why requests were refused, on a page


def told(finding: Finding) -> str:
    """The finding in one line: of a look with labels only what these say."""
    parts, group = [], finding.group
    if group and group.performance:
        if group.drift and finding.look == "first":
            parts.append(told_drift(group.drift, group.performance.metric))
        if group.reasons and group.reasons.moved and finding.look == "first":
            parts.append(told_reasons(group.reasons))
        parts.append(told_performance(group.performance) + f" (version {group.version})" * (len(finding.groups) > 1))
    if group and group.fairness:
        parts += [f"fairness: {told_judged(each)}" for each in group.fairness.those("violated")]
    if not finding.rows:
        parts.append("no request was answered" if finding.service.refused else "no request came")
    if finding.look == "first" and finding.service.fault:
        parts.append(finding.service.fault)
    parts += [f"objective missed: {how}" for how in finding.service.missed.values()]
    if finding.reviewed:
        parts.append(told_review(finding.reviewed))
    if finding.strays:
        parts.append(f"{finding.strays:,} rows say an event time that cannot be")
    return "; ".join(parts)


def told_drift(drift: Drift, metric: str) -> str:
    """Faults first, then the drift that matters, else the harmless in a few words."""
    names = [*drift.faults, *(name for name in drift.matters if name not in drift.faults)] if drift.persists else []
    if names:
        return "; ".join(told_column(name, drift, metric) for name in names[:3])
    what = ", ".join(drift.drifted[:3]) or "the columns jointly"
    harmless = drift.not_estimated or "harmless"
    if drift.highest <= 1:
        return "no drift"
    if not drift.persists:
        return f"{what} moved, in too few windows for an alarm"
    if drift.matters_jointly and drift.not_estimated:
        return f"the columns moved jointly, none alone, and the answers too; {drift.not_estimated}"
    if drift.matters_jointly:
        return f"the columns moved jointly, none alone; it is estimated to cost {drift.joint.cost:.3f} {metric}"
    return f"{what} moved; {harmless}"


def told_column(name: str, drift: Drift, metric: str) -> str:
    """A drifted column in one line: what it costs, or why nobody can say."""
    column = drift.columns[name]
    if column.fault:
        return f"{name} looks broken upstream: {column.fault}"
    if drift.unknown(name):
        return f"{name} moved: {column.outside:.0%} of its rows lie where the reference has none, so no estimate holds"
    if column.cost is None and drift.not_estimated:
        return f"{name} moved{', and the answers too' * drift.answers_moved}; {drift.not_estimated}"
    if column.cost is None:
        return f"{name} moved; the log does not keep all columns, so its cost is not known"
    if column.cost > drift.tolerance:
        return f"{name} moved; it is estimated to cost {column.cost:.3f} {metric}"
    return f"{name} moved; harmless ({column.cost:.3f} {metric})"


def told_reasons(flow: ReasonFlow) -> str:
    """Which columns move answers otherwise than they did, the farthest first, and how much."""
    moved = [f"{name} ({flow.columns[name].before:.3g} to {flow.columns[name].now:.3g})" for name in flow.moved[:3]]
    return f"reasons moved: {', '.join(moved)} {flow.scale}" if moved else "reasons as they were"


def told_performance(performance: Performance) -> str:
    """Measured where labels came, else estimated."""
    metric = performance.metric
    if performance.value is not None and performance.floor is not None:
        verb = "fell under its floor" if performance.fell else "holds its floor"
        times = ", ".join(f"{when} ({name})" for name, when in performance.rose.items())
        rose = f", errors rose about {times}" if performance.fell and times else ""
        return (
            f"{metric} {performance.value:.3f} ({performance.lower:.3f} to {performance.upper:.3f}) {verb} "
            f"{performance.floor:.3f}{rose}{told_coverage(performance)}"
        )
    few = f"too few labels to judge ({performance.labelled})"
    if performance.not_estimated:
        return f"{few}; {metric} is {performance.not_estimated}"
    lower, upper, floor = performance.estimate_lower, performance.estimate_upper, performance.estimate_floor
    if performance.estimate is None or lower is None or upper is None or floor is None:
        return f"{few}; {metric} cannot be estimated from so little"
    verb = "under its floor" if performance.estimate_fell else "over its floor"
    return f"{few}; {metric} estimated {performance.estimate:.3f} ({lower:.3f} to {upper:.3f}), {verb} {floor:.3f}"


def told_coverage(performance: Performance) -> str:
    """How many rows lay within their interval, behind what is told of the metric; empty where nothing is known."""
    coverage = performance.coverage
    if coverage is None:
        return ""
    verb = "fell under its floor" if coverage.fell else "holds its floor"
    return (
        f"; coverage {coverage.value:.3f} ({coverage.lower:.3f} to {coverage.upper:.3f}) of intervals for "
        f"{coverage.promised:g} {verb} {coverage.floor:.3f}"
    )


def told_review(reviewed: Reviewed) -> str:
    """What people overruled, what nobody decided in time, and what waits; in one line."""
    found, before = reviewed.found.overridden, reviewed.before.overridden
    parts = []
    if found:
        more = "people override more than they did: " if reviewed.more else "people overrode "
        known = f"; {before.value:.0%} of {before.count:,} before" if before else ""
        parts.append(f"{more}{found.value:.0%} of {found.count:,} answers{known}")
    if reviewed.late:
        parts.append(f"nobody decided in time on {reviewed.late:,}")
    oldest = f", the oldest for {reviewed.oldest:.0f} hours" if reviewed.oldest is not None else ""
    wait = "1 answer waits" if reviewed.waiting == 1 else f"{reviewed.waiting:,} answers wait"
    return "; ".join([*parts, f"{wait} for people{oldest}"])


def retraining_cause(use_case: UseCase, causes: Iterable[str], new_labels: int = 0) -> str | None:
    """The gravest cause for which the use case wants a retraining; none while something upstream is broken.

    Enough new labels are one too, `labels`, where there is no other.
    """
    found, enough = list(causes), use_case.retraining.new_labels
    if "fault" in found:
        return None
    labels = "labels" if enough and new_labels >= enough else None
    return next((cause for cause in found if cause in use_case.retraining.on), labels)


def describe(finding: Finding) -> str:
    """The finding as a page."""
    open_alarms = "\n".join(
        f"- **{alarm.severity}**, {cause}, since window {alarm.since}: {alarm.reason}"
        for cause, alarm in finding.alarms.items()
    )
    return f"""# {finding.use_case}, window {finding.window}: {_look(finding)}

{told(finding)}. {finding.rows:,} rows. [Evidently report]({finding.report})

{open_alarms or "No alarm is open."}

{"".join(_group(finding, group) for group in finding.groups)}
{_kpis(finding.service)}{_reviewed(finding.reviewed)}
Bounds let {finding.false_alarm_rate:.2%} of windows without drift alarm in this look.
"""


def _look(finding: Finding) -> str:
    """Which look it is."""
    if finding.look == "labels":
        return "look with labels"
    measured = finding.performance is not None and finding.performance.value is not None
    return f"first look, {'with' if measured else 'without'} labels; all are due {finding.due[:16] or finding.until[:16]}"


def _group(finding: Finding, group: Group) -> str:
    """What the rows that one version answered show; of drift also in the look with labels, as the first look found it."""
    head = f"## Version {group.version}, {group.rows:,} rows{' (leads)' if finding.group == group else ''}\n\n"
    if group.performance is None:
        return f"{head}Not judged: {group.not_judged}.\n\n"
    performance, metric = group.performance, group.performance.metric
    part = "" if performance.labelled == performance.rows else f" ({performance.labelled:,} of {performance.rows:,} rows)"
    part += ", weighted by score" * performance.weighted
    measured = _interval(performance.lower, performance.upper)
    estimated = _interval(performance.estimate_lower, performance.estimate_upper)
    estimate = performance.not_estimated or _number(performance.estimate)
    before = performance.answers_expected
    answers = ", ".join(f"{name} {value:.4g} ({before.get(name, 0.0):.4g})" for name, value in performance.answers.items())
    drift = _drift(group.drift, metric, " (as the first look found it)" * (finding.look == "labels")) if group.drift else ""
    return f"""{head}| {performance.metric} | value | 95 % | floor |
|---|---|---|---|
| measured{part} | {_number(performance.value)} | {measured} | {_number(performance.floor)} |
| estimated without labels | {estimate} | {estimated} | {_number(performance.estimate_floor)} |
{_coverage(performance)}
{slices_table(metric, performance.slices)}Answers (in the holdout): {answers}.

{_fairness(group)}{drift}{_reasons(group.reasons)}"""


def _fairness(group: Group) -> str:
    """How the groups of protected columns were answered, where the use case asks for it."""
    return f"### Fairness: {group.fairness.verdict}\n\n{section(group.fairness)}\n" if group.fairness else ""


def _coverage(performance: Performance) -> str:
    """The row of the table, where intervals were judged."""
    known = performance.coverage
    if known is None:
        return ""
    return (
        f"| coverage of intervals for {known.promised:g} | {known.value:.4f} | {_interval(known.lower, known.upper)} "
        f"| {known.floor:.4f} |\n"
    )


def _drift(drift: Drift, metric: str, when: str) -> str:
    columns = sorted(drift.columns.items(), key=lambda item: -item[1].score)
    rows = "\n".join(_row(n, column, told_column(n, drift, metric) if column.score > 1 else "") for n, column in columns)
    compared = f" Compared with {drift.compared_with}." if drift.compared_with else ""
    return f"""{told_drift(drift, metric)}{when}. The bounds of the columns rest on {drift.blocks:,}
independent blocks of the reference. A score over 1 is drift.{compared}

| column | score | distance | outside the reference | cost | |
|---|---|---|---|---|---|
{rows}
{_row("(all jointly; the AUC of a domain classifier)", drift.joint)}
{_row("(prediction score)", drift.prediction)}

"""


def _reasons(flow: ReasonFlow | None) -> str:
    """What moves answers now, beside what did; nothing of a version that has no reasons."""
    if flow is None:
        return ""
    head = "### Flow of reasons\n\n"
    if flow.not_looked_at:
        return f"{head}Not looked at: {flow.not_looked_at}.\n\n"
    left = f" Left out, since the log has no values of them: {', '.join(flow.unknown)}." if flow.unknown else ""
    columns = sorted(flow.columns.items(), key=lambda item: -item[1].score)
    rows = "".join(
        f"| {name} | {each.score:.2f} | {each.shift:.1%} | {each.before:.4g} | {each.now:.4g} |\n" for name, each in columns
    )
    return f"""{head}{told_reasons(flow)}, on {flow.rows:,} rows beside {flow.reference_rows:,} of the reference, which has
{flow.blocks:,} independent blocks. A score over 1 is drift of what a column adds to answers; it is told where
that shifted by {LEAST_SHIFT:.0%} of all that moved answers.{left}

| column | score | shift | moved an answer by, in the reference | in the window |
|---|---|---|---|---|
{rows}
"""


def _kpis(service: Service) -> str:
    """Every KPI beside its objective, and what was refused."""
    rows = "".join(
        f"| {name} | {kpi.value:.4g} | {_interval(kpi.lower, kpi.upper)} | {kpi.rows:,} | {kpi.objective} | "
        f"{'missed' if kpi.missed else 'kept' if kpi.objective else ''} |\n"
        for name, kpi in service.kpis.items()
    )
    refused = "".join(f"| {each.status} | {each.feature} | {each.requests:,} |\n" for each in service.refused[:REASONS])
    table = f"\n| KPI | value | 95 % | rows | objective | |\n|---|---|---|---|---|---|\n{rows}"
    return table + (f"\n| refused with | for | requests |\n|---|---|---|\n{refused}" if refused else "")


def _reviewed(reviewed: Reviewed | None) -> str:
    """What people decided, beside what they did before."""
    if reviewed is None:
        return ""
    found, before = reviewed.found, reviewed.before
    rows = [("overridden", found.overridden, before.overridden), ("late", found.late, before.late)]
    rows += [("two people agree", found.agreement, before.agreement)]
    lines = "".join(f"| {name} | {_share(new)} | {_share(old)} |\n" for name, new, old in rows)
    chance = "" if reviewed.chance is None else f" So many overrides come by chance in {reviewed.chance:.2%} of such looks."
    head = f"### People decide\n\n{told_review(reviewed)}.{chance}\n\n"
    return f"\n{head}| of their decisions | since the look before | until then |\n|---|---|---|\n{lines}"


def _share(share: Share | None) -> str:
    return "" if share is None else f"{share.value:.3f} ({share.lower:.3f} to {share.upper:.3f}) of {share.count:,}"


def _row(name: str, column: ColumnDrift, what: str = "") -> str:
    return (
        f"| {name} | {column.score:.2f} | {column.distance:.4f} | {column.outside:.1%} | {_number(column.cost)} | {what} |"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _interval(lower: float | None, upper: float | None) -> str:
    return "" if lower is None or upper is None else f"{lower:.4f} to {upper:.4f}"


def drift_page(use_case: str, page: str) -> Path:
    """Where Evidently's page of a window lies, or will."""
    return reports(use_case, "monitoring") / f"{page}-drift.html"


def finding_path(use_case: str, window: str, look: Look = "first") -> Path:
    """Where what a look found is kept."""
    return _folder(use_case) / f"{window}{'.labels' if look == 'labels' else ''}.json"


def findings(use_case: str) -> list[Finding]:
    """What was found, oldest window first, the first look at it before the other. What cannot be read is left out."""
    found = [finding for finding in map(_read, _folder(use_case).glob("*.json")) if finding]
    return sorted(found, key=lambda finding: (finding.until, len(finding.window), finding.window, finding.look))


def performances_before(window: Window) -> list[Performance]:
    """What windows before this one showed of the performance of its version, oldest first; of two looks the later."""
    shown: dict[str, Performance] = {}
    for finding in findings(window.use_case):
        for group in finding.groups if is_before(finding, window) else []:
            if group.version == window.version and group.performance:
                shown[finding.window] = group.performance
    return list(shown.values())


def unreadable_findings(use_case: str) -> list[Path]:
    """Files that are no findings of this version of Slipway. Their windows count as looked at."""
    return [path for path in sorted(_folder(use_case).glob("*.json")) if _read(path) is None]


def drifts_before(use_case: str, window: Window, version: str) -> list[Drift]:
    """What windows before this one showed of drift in the rows of a version, oldest first."""
    return [group.drift for group in _groups_before(use_case, window, version) if group.drift]


def reasons_before(use_case: str, window: Window, version: str) -> list[ReasonFlow]:
    """What windows before this one showed of the reasons of a version's answers, oldest first."""
    groups = _groups_before(use_case, window, version)
    return [group.reasons for group in groups if group.reasons]


def _groups_before(use_case: str, window: Window, version: str) -> list[Group]:
    return [
        group
        for finding in findings(use_case)
        if finding.look == "first" and is_before(finding, window)
        for group in finding.groups
        if group.version == version
    ]


def is_before(finding: Finding, window: Window) -> bool:
    """Whether its window lies before this one."""
    if window.start.isdigit():
        return finding.window.startswith("rows-") and int(finding.window.rpartition("-")[2]) < int(window.start)
    return datetime.fromisoformat(finding.until) <= datetime.fromisoformat(window.start)


def _folder(use_case: str) -> Path:
    return made(use_case_home(use_case) / "monitoring")


def _read(path: Path) -> Finding | None:
    try:
        return Finding.model_validate_json(path.read_bytes())
    except ValidationError:
        return None
