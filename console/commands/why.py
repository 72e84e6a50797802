"""`slipway audit why`, for people: the answer's story, top to bottom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.audit.why import Why
from tasks.explaining.values import WhatIf

LINES = ("labels", "in words", "added", "it")  # lists of sentences


def tell(found: Why, screen: Console) -> None:
    """Print it."""
    for asked in found.asked:
        screen.print(_table(f"prediction {found.prediction_id} of {found.use_case}", asked))
    for shadow in found.shadows:
        screen.print(_table(f"what the shadow {shadow.get('assigned', '')} said, which nobody was told", shadow))
    screen.print(_table("why it answered so", _reasons(found)))
    if found.change:
        screen.print(_table("what would have to change", _change(found.change)))
    labels = [f"{label['time'][:19]}: {label.get('label', 'no label')} {label.get('kpis', '')}" for label in found.labels]
    screen.print(_table("what came of it", {"labels": labels or "none has come"}))
    if found.reviews:
        screen.print(reviews_table(found.reviews))
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
    lines = [f"The record: {found.proven}"]
    lines += [f"Asked again: {found.again.told}"] if found.again else []
    lines += [f"Trained again: {found.rebuilt.told}"] if found.rebuilt else []
    answered = found.rebuilt.again if found.rebuilt else None
    lines += [f"The model that was trained again: {answered.told}"] if answered else []
    for line in lines:
        screen.print(line, markup=False, highlight=False, soft_wrap=True)


def _reasons(found: Why) -> dict[str, Any]:
    """Words first; each contribution a line."""
    reasons = found.reasons
    if reasons is None:
        return {"none": found.unexplained}
    added = [f"{value:+.4f}  {name}" for name, value in reasons["contributions"].items()]
    said = [code["says"] for code in reasons.get("codes", [])]
    of = " of class ".join(str(reasons[name]) for name in ("scale", "class") if name in reasons)
    words = {"in words": said} if said else {}
    return {**words, "what": of, "base": f"{reasons['base']:+.4f}", "added": added}


def _change(found: WhatIf) -> dict[str, Any]:
    """A sentence a way, and what all of them hold for."""
    if not found.ways:
        return {"none": found.none}
    return {"it": found.told, "holds": f"for version {found.version} and this record; what comes later is no promise"}


def reviews_table(reviews: Sequence[dict[str, Any]]) -> Table:
    """What people said of answers, and what was final of it, oldest first; of several predictions each says which."""
    table = Table(title="what people decided", title_justify="left")
    several = len({review.get("prediction_id") for review in reviews}) > 1
    for name in ("when", *["prediction"] * several, "what", "by", "answer", "why"):
        table.add_column(name, overflow="fold", no_wrap=name in ("when", "what"))
    for review in reviews:
        by = " and ".join(review.get("people", [review["by"]]))
        why = "; ".join(filter(None, (review.get("reason", ""), review.get("text", ""))))
        what = f"{review['what']}, {review['how']}" if "how" in review else review["what"]
        about = [_cell(review.get("prediction_id", ""))] * several
        table.add_row(*map(Text, (review["time"][:16], *about, what, by, _cell(review.get("answer", "")), why)))
    return table


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(title: str, values: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, value in values.items():
        lines = isinstance(value, list) and name in LINES
        text = "\n".join(value) if lines else _cell(value)
        table.add_row(name.replace("_", " "), Text(text))
    return table
