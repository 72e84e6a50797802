"""What was seen of a version since it serves: windows of the monitoring, people's decisions, and what proves the record."""

from __future__ import annotations

from tasks.audit.outside import Unreadable, parse_checkpoint
from tasks.audit.tree import note_name, own_notes
from tasks.fairness.told import told_judged
from tasks.monitoring.findings import finding_path, findings, told_drift, told_performance
from tasks.monitoring.values import Finding, Group
from tasks.papers.happened import where
from tasks.papers.values import Table
from tasks.review.finals import CONFIDENCE, finals_of, kpis
from tasks.review.values import Share


def windows_table(use_case: str, version: str) -> Table:
    """Each look at a window that the version answered rows of."""
    rows = [_row(finding, group) for finding in findings(use_case) for group in finding.groups if group.version == version]
    heads = ["window", "rows", "performance", "drift", "fairness", "alarms", "where it stands"]
    nothing = "" if rows else f"no window with answers of version {version} was looked at"
    return Table(heads=heads, rows=rows, source=f"use_cases/{use_case}/monitoring/", nothing=nothing)


def _row(finding: Finding, group: Group) -> list[str]:
    performance = told_performance(group.performance) if group.performance else f"not judged: {group.not_judged}"
    metric = group.performance.metric if group.performance else ""
    judged = group.fairness.judged if group.fairness else []
    alarms = [f"{cause} ({alarm.severity}): {alarm.reason}" for cause, alarm in finding.alarms.items()]
    return [
        finding.title,
        f"{group.rows:,}",
        performance,
        told_drift(group.drift, metric) if group.drift else "",
        "; ".join(map(told_judged, judged)) or "not asked for",
        "; ".join(alarms) or "none open",
        where(finding_path(finding.use_case, finding.window, finding.look)),
    ]


def reviews_table(use_case: str) -> Table:
    """How people and the model agree, and people among themselves; of all versions, as `slipway review` tells it."""
    found = kpis(finals_of(use_case))
    shares = {
        "answers of the model that people overrode": found.overridden,
        "decided by nobody in time": found.late,
        "two people agreed": found.agreement,
        "two people agreed, beyond chance": found.beyond_chance,
    }
    rows = [[what, _share(share), str(share.count)] for what, share in shares.items() if share]
    nothing = "" if rows else "no answer was finally decided by people"
    heads = ["what", f"share ({CONFIDENCE:.0%} interval)", "of"]
    return Table(heads=heads, rows=rows, source=f"use_cases/{use_case}/reviews/", nothing=nothing)


def _share(share: Share) -> str:
    return f"{share.value:.3f} ({share.lower:.3f} to {share.upper:.3f})"


def audit_table(use_case: str) -> Table:
    """The last signed checkpoint of the audit record; 'slipway audit verify' holds all of it against what is there."""
    heads, folder = ["signed until", "entries", "root", "checkpoint"], f"use_cases/{use_case}/audit/checkpoints"
    try:
        if not (notes := own_notes(use_case)):
            nothing = f"no checkpoint is signed; 'slipway audit checkpoint {use_case}' signs one"
            return Table(heads=heads, rows=[], source=folder, nothing=nothing)
        last = parse_checkpoint(notes[-1])
    except Unreadable as error:
        return Table(heads=heads, rows=[], source=folder, nothing=f"the last checkpoint is damaged: {error}")
    row = [last.time, f"{last.size:,}", last.root.hex(), f"{folder}/{note_name(last.size)}"]
    return Table(heads=heads, rows=[row], source=folder)
