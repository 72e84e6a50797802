"""Evidently's workspace of this home: the history of a use case's drift reports, shown by its own UI (`slipway ui`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.settings import home, made


def workspace() -> Path:
    """Where it lies."""
    return made(home() / "evidently")


def keep_run(use_case: str, description: str, window: str, run: Any) -> None:
    """Add a window's run (a snapshot of Evidently's) to the project of the use case; one of the same window is replaced."""
    from evidently.ui.workspace import Workspace

    space = Workspace.create(str(workspace()))
    found = [project for project in space.search_project(use_case) if project.name == use_case]
    project = found[0] if found else _new_project(space, use_case, description)
    for known in space.list_runs(project.id):
        if space.get_run(project.id, known).metadata.get("window") == window:
            space.delete_run(project.id, known)
    space.add_run(project.id, run, include_data=False)


def _new_project(space: Any, use_case: str, description: str) -> Any:
    """With plots of how many columns drifted, and of each column's score."""
    from evidently.sdk.models import PanelMetric
    from evidently.sdk.panels import line_plot_panel

    project = space.create_project(use_case, description=description)
    count = PanelMetric(metric="DriftedColumnsCount", metric_labels={"value_type": "count"}, legend="columns")
    score = PanelMetric(metric="ValueDrift", legend="{{column}}")
    project.dashboard.add_panel(line_plot_panel("Columns over their bound", [count], size="half"))
    project.dashboard.add_panel(line_plot_panel("Score of each column (over 1 is drift)", [score], size="half"))
    project.save()
    return project
