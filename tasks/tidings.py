"""Tidings of a finding: the events that Prefect gets, and the messages that people get."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from configs.schema import UseCase
from configs.settings import home
from tasks.finding_plot import draw, plot_page
from tasks.findings import describe, findings, retraining_cause, told
from tasks.monitoring.alarms import to_tell
from tasks.outbox import Telling, audience
from tasks.values import Finding, write_atomically


def events(use_case: UseCase, finding: Finding) -> list[dict[str, Any]]:
    """An event a cause; at most one of them asks for a retraining. Enough new labels are a cause too, but no alarm.

    Events are `slipway.fault`, `.drift`, `.performance`, `.estimate`, `.target`, `.labels` and `.healthy`; one carries
    `slipway.retrain: yes` where the use case wants a retraining for that cause, which is what the triggers in `prefect.yaml`
    look for. One window starts one retraining at most, whatever it found, and none while something upstream is broken.
    """
    wanted = retraining_cause(use_case, finding.causes, finding.new_labels)
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
                "until": finding.until,
                "cause": cause if cause == "labels" else " and ".join(finding.causes) or "none",
                "told": told(finding),
                "report": finding.report,
            },
        }
        for cause in [*(finding.causes or ["healthy"]), *(["labels"] if wanted == "labels" else [])]
    ]


def messages(use_case: UseCase, finding: Finding) -> list[Telling]:
    """One for each alarm that is new or whose cooldown is over, with a plot of the window and those before."""
    alarms, path = (
        to_tell(finding.alarms, datetime.fromisoformat(finding.until)),
        plot_page(finding.use_case, finding.window),
    )
    if alarms and use_case.monitoring.notify:
        write_atomically(path, draw(finding, [f for f in findings(use_case.name) if f.until < finding.until]))
    return [
        Telling(
            title=f"[{alarm.severity}] {finding.use_case}: {cause} in window {finding.window}",
            reason=alarm.reason,
            link=finding.report,
            page=describe(finding),
            data={"cause": cause, "alarm": alarm.model_dump(), "finding": finding.model_dump(mode="json")},
            plot=str(path.relative_to(home() / "reports")),
            to=audience(use_case, alarm.severity),
        )
        for cause, alarm in alarms.items()
    ]
