"""`slipway audit why`, for people: the answer's story, top to bottom."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.audit.why import Why


def tell(found: Why, screen: Console) -> None:
    """Print it."""
    for asked in found.asked:
        screen.print(_table(f"prediction {found.prediction_id} of {found.use_case}", asked))
    for shadow in found.shadows:
        screen.print(_table(f"what the shadow {shadow.get('assigned', '')} said, which nobody was told", shadow))
    labels = [f"{label['time'][:19]}: {label.get('label', 'no label')} {label.get('kpis', '')}" for label in found.labels]
    screen.print(_table("what came of it", {"labels": labels or "none has come"}))
    for review in found.reviews:
        said = {name: value for name, value in review.items() if name not in ("prediction_id", "what") and value != ""}
        screen.print(_table(f"review: {review['what']}", said))
    model = {name: value for name, value in found.model.items() if value and name != "configuration"}
    screen.print(_table("the model that answered", model))
    decisions = Table(title=f"decided about version {found.model['version']}", title_justify="left")
    for column in ("when", "what", "why", "by"):
        decisions.add_column(column, overflow="fold", no_wrap=column == "when")
    for entry in found.decisions:
        what = " ".join(str(entry[name]) for name in ("what", "move", "said") if entry.get(name))
        by = entry.get("by") or entry.get("flow_run") or "a command"
        decisions.add_row(*(Text(cell) for cell in (entry["time"][:16], what, entry["reason"], by)))
    screen.print(decisions)
    screen.print(f"The record: {found.proven}", markup=False, highlight=False, soft_wrap=True)


def _table(title: str, values: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        table.add_row(
            name.replace("_", " "), Text("\n".join(value) if isinstance(value, list) and name == "labels" else text)
        )
    return table
