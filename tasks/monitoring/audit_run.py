"""A run of the audit: what every check found, kept as a page and in the history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from configs.files import write_atomically
from configs.schema import UseCase
from configs.settings import reports
from tasks.history import record
from tasks.monitoring.audit_checks import Checked, check_all
from tasks.store import Value

WHAT = "audit-run"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
body {{ color: #1c2430; background: #fff }} table {{ border-collapse: collapse }}
th, td {{ border: 1px solid #6b7685; padding: .2rem .6rem; text-align: left; vertical-align: top }}
</style></head><body><main><h1>{title}</h1><p>{told}</p>
<table><thead><tr><th scope="col">Check</th><th scope="col">State</th><th scope="col">What was found</th></tr></thead><tbody>
{rows}
</tbody></table></main></body></html>
"""


class AuditRun(Value):
    """What a run found; `time` in UTC."""

    use_case: str
    time: datetime
    checks: list[Checked]

    @property
    def wrong(self) -> dict[str, str]:
        """What somebody must do something about."""
        return {check.name: check.told for check in self.checks if check.state == "wrong"}

    @property
    def told(self) -> str:
        """In a sentence."""
        held, unknown = (sum(check.state == state for check in self.checks) for state in ("holds", "unknown"))
        return f"{len(self.wrong)} of {len(self.checks)} checks need somebody, {held} hold, {unknown} cannot be said"


def looked(use_case: UseCase, now: datetime | None = None) -> AuditRun:
    """Look at everything; nothing is kept."""
    moment = now or datetime.now(UTC)
    return AuditRun(use_case=use_case.name, time=moment, checks=check_all(use_case, moment))


def keep(found: AuditRun, told: Sequence[str] = ()) -> None:
    """Write the page, and record that it was looked at, what was wrong, and what of that people are told now."""
    write_atomically(page_path(found), page_of(found).encode())
    checks = [check.name for check in found.checks]
    record(found.use_case, WHAT, found.told, checks=checks, wrong=found.wrong, told=list(told))


def page_path(found: AuditRun) -> Path:
    """Where the page of a run lies."""
    return reports(found.use_case, "audit") / f"{found.time:%Y-%m-%dT%H%M%S%f}.html"


def page_of(found: AuditRun) -> str:
    """The page; it loads nothing from elsewhere."""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(check.name)}</th><td>{check.state}</td><td>{escape(check.told)}</td></tr>'
        for check in found.checks
    )
    title = f"Audit run of {escape(found.use_case)}, {found.time:%Y-%m-%d %H:%M} UTC"
    return PAGE.format(title=title, told=escape(found.told), rows=rows)
