"""Tidings of a finding: the events that Prefect gets, and the messages that people get."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from configs.files import write_atomically
from configs.schema import UseCase
from configs.settings import home
from tasks.monitoring.alerts.alarms import to_tell
from tasks.monitoring.alerts.finding_plot import draw, plot_page
from tasks.monitoring.alerts.outbox import Telling, audience
from tasks.monitoring.findings import describe, finding_path, findings, retraining_cause, told
from tasks.monitoring.values import Finding


def events(use_case: UseCase, finding: Finding) -> list[dict[str, Any]]:
    """An event a cause; at most one of them asks for a retraining. Enough new labels are a cause too, but no alarm.

    Events are `slipway.fault`, `.drift`, `.performance`, `.fairness`, `.estimate`, `.objective`, `.labels` and `.healthy`;
    one carries `slipway.retrain: yes` where the use case wants a retraining for that cause, which is what the triggers in
    `prefect.yaml` look for. One window starts one retraining at most, whatever it found, and none while something upstream
    is broken.
    """
    wanted = retraining_cause(use_case, finding.causes, finding.new_labels)
    healthy = ["healthy"] if finding.look == "first" else []
    return [
        {
            "event": f"slipway.{cause}",
            "resource": {
                "prefect.resource.id": f"slipway.use-case.{use_case.name}",
                "prefect.resource.name": use_case.name,
                "slipway.retrain": "yes" if cause == wanted else "no",
            },
            "payload": {
                "use_case": use_case.name,
                "window": finding.window,
                "look": finding.look,
                "until": known_until(finding),
                "cause": cause if cause == "labels" else " and ".join(finding.causes) or "none",
                "told": told(finding),
                "report": finding.report,
            },
        }
        for cause in [*(finding.causes or healthy), *(["labels"] if wanted == "labels" else [])]
    ]


def known_until(finding: Finding) -> str:
    """What a retraining may know: all when the window ended, or when its labels had come."""
    return finding.until if finding.look == "first" else finding.moment_of_look


def messages(use_case: UseCase, finding: Finding, known: Finding | None) -> list[Telling]:
    """One for each alarm that is new or whose cooldown is over, with a plot of the window and those before.

    Where the look is done again, of what `known`, its finding before, did not tell.
    """
    alarms = to_tell(finding.alarms, datetime.fromisoformat(finding.moment_of_look))
    alarms = {cause: alarm for cause, alarm in alarms.items() if not known or known.alarms.get(cause) != alarm}
    path = plot_page(finding.use_case, finding_path(finding.use_case, finding.window, finding.look).stem)
    if alarms and use_case.monitoring.notify:
        before = [f for f in findings(use_case.name) if f.until < finding.until and f.look == "first"]
        write_atomically(path, draw(finding, before))
    return [
        Telling(
            title=f"[{alarm.severity}] {finding.use_case}: {cause} in window {finding.title}",
            reason=alarm.reason,
            link=finding.report,
            page=describe(finding),
            data={"cause": cause, "alarm": alarm.model_dump(), "finding": finding.model_dump(mode="json")},
            plot=str(path.relative_to(home() / "reports")),
            to=audience(use_case, alarm.severity),
        )
        for cause, alarm in alarms.items()
    ]
