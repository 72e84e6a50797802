"""Keep: a window is looked at once its finding is kept, and not before people were told of it."""

from __future__ import annotations

from prefect import task

from tasks.findings import finding_path
from tasks.values import Finding, write_atomically


@task
def keep_finding(finding: Finding) -> None:
    """Write the finding. A run that is killed before this looks at the window again; people may then be told twice."""
    path = finding_path(finding.use_case, finding.window)
    write_atomically(path, finding.model_dump_json(indent=1).encode())
