"""Run the audit: the step of maintenance that looks at everything, and tells people where somebody must act."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from configs.schema import UseCase
from configs.settings import report_address
from tasks.history import read_history
from tasks.monitoring.alerts.critical import tell_at_once
from tasks.monitoring.audit_run import WHAT, AuditRun, keep, looked, page_path


@task
def run_audit(use_case: UseCase) -> AuditRun:
    """Every check, as a page and an artifact. People are told of what is new, and again after `monitoring.cooldown`."""
    found = looked(use_case)
    known = told_before(read_history(use_case.name, WHAT), found.time - use_case.monitoring.cooldown)
    new = {name: told for name, told in found.wrong.items() if name not in known}
    keep(found, told=[*new])
    create_markdown_artifact(key=f"audit-run-{use_case.name}", markdown=_markdown(found), description=found.told)
    if new:
        reason = "; ".join(f"{name}: {told}" for name, told in new.items())
        link = report_address(page_path(found))
        tell_at_once(use_case, "audit-alarm", f"audit: {', '.join(new)}", reason, link, cause="audit", wrong=new)
    get_run_logger().info("Audit run: %s", found.told)
    return found


def told_before(runs: Sequence[dict[str, Any]], since: datetime) -> set[str]:
    """What people were told since that time, and what was wrong in every run after that; `runs` are oldest first."""
    told, mended = set[str](), set[str]()
    for run in reversed(runs):
        if datetime.fromisoformat(run["time"]) < since:
            break
        told |= {*run["told"]} - mended
        mended |= {*run["checks"]} - {*run["wrong"]}
    return told


def _markdown(found: AuditRun) -> str:
    rows = "\n".join(f"| {check.name} | {check.state} | {check.told.replace('|', '/')} |" for check in found.checks)
    head = f"# {found.use_case}: {found.told}\n\n[The page]({report_address(page_path(found))})"
    return f"{head}\n\n| check | state | what was found |\n|---|---|---|\n{rows}\n"
