"""Keep: a window counts as looked at once its finding is kept, whoever can or cannot be told of it."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.files import write_atomically
from configs.schema import UseCase
from tasks.monitoring.alerts.outbox import Entry, put
from tasks.monitoring.alerts.tidings import events, messages
from tasks.monitoring.findings import finding_path, findings
from tasks.monitoring.values import Finding


@task
def keep_finding(use_case: UseCase, finding: Finding) -> None:
    """Put what is to be told into the outbox, then write the finding; killed in between, the same is done again."""
    for cause, alarm in finding.alarms.items():
        get_run_logger().info("Open alarm (%s): %s: %s", alarm.severity, cause, alarm.reason)
    path = finding_path(finding.use_case, finding.window, finding.look)
    known = next((f for f in findings(use_case.name) if (f.window, f.look) == (finding.window, finding.look)), None)
    entry = Entry(events=events(use_case, finding), messages=messages(use_case, finding, known))
    put(use_case.name, path.stem, entry, again=known is not None)
    write_atomically(path, finding.model_dump_json(indent=1).encode())
