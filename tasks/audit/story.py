"""Story: all that is known of one answer as a part of a page, and what of it does not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.audit.why import Why

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE = Path(__file__).with_name("story.html")
TOLD = ("kind", "features", "prediction", "time", "caller", "model_version")  # in a sentence, or in a table of their own


def story(found: Why) -> Markup:
    """As HTML, from its first `h2` on; every value is escaped."""
    from jinja2 import Environment
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True)
    environment.filters["said"] = said
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    model = {name: value for name, value in found.model.items() if value and name not in ("configuration", "version")}
    return Markup(template.render(found=found, model=model, doubts=doubts(found), rest=rest))


def rest(asked: dict[str, Any]) -> dict[str, Any]:
    """What a record has beside the question and the answer."""
    return {name: value for name, value in asked.items() if name not in TOLD}


def said(value: Any) -> str:
    """A value in words.

    >>> said(None), said("a"), said([1, 2.5])
    ('not known', 'a', '[1, 2.5]')
    """
    return "not known" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def doubts(found: Why) -> list[str]:
    """What does not hold, or could not be shown where it was asked for."""
    name, wrong = f"prediction {found.prediction_id}", []
    if found.wrong:
        wrong.append(f"{name} is not as it was recorded: {found.wrong}")
    if found.again and not found.again.same:
        wrong.append(f"{name}, asked again: {found.again.told}")
    if found.rebuilt and not found.rebuilt.equal:
        wrong.append(f"{name}, trained again: {found.rebuilt.told}")
    if found.rebuilt and found.rebuilt.again and not found.rebuilt.again.same:
        wrong.append(f"{name}, of the model that was trained again: {found.rebuilt.again.told}")
    return wrong
