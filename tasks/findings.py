"""What monitoring found: one file a window, and how it is told."""

from __future__ import annotations

from pathlib import Path

from configs.settings import made, use_case_home
from tasks.values import Finding


def told(finding: Finding) -> str:
    """The finding in one line."""
    drift, performance = finding.drift, finding.performance
    parts = [f"drift in {', '.join(drift.drifted[:3])}" if drift.detected else "no drift"]
    if performance.value is None:
        parts.append(f"too few labels to judge ({performance.labelled})")
    else:
        verb = "fell under its floor" if performance.fell else "holds its floor"
        parts.append(f"{performance.metric} {performance.value:.3f} {verb} {performance.floor:.3f}")
    return "; ".join(parts)


def describe(finding: Finding) -> str:
    """The finding as a page."""
    rows = "\n".join(
        f"| {name} | {value:.4f} | {bound:.4f} | {'drift' if value > bound else ''} |"
        for name, (value, bound) in sorted(finding.drift.columns.items(), key=lambda item: item[1][1] - item[1][0])
    )
    return f"""# {finding.use_case}, window {finding.window}

{told(finding)}. {finding.rows:,} requests to version {finding.version}. [Evidently report]({finding.report})

Thresholds let {finding.drift.false_alarm_rate:.1%} of windows without drift raise an alarm.

| column | distance | threshold | |
|---|---|---|---|
{rows}
"""


def finding_path(use_case: str, window: str) -> Path:
    """Where a window's finding is kept."""
    return made(use_case_home(use_case) / "monitoring") / f"{window}.json"


def findings(use_case: str) -> list[Finding]:
    """All findings, oldest window first."""
    folder = made(use_case_home(use_case) / "monitoring")
    found = [Finding.model_validate_json(path.read_bytes()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda finding: (finding.until, len(finding.window), finding.window))
