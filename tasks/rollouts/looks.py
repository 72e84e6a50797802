"""Every look of a rollout, one JSON line each in a file that only grows: what a check said when, and what became of it."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from configs.files import append_line
from configs.settings import made
from tasks.rollouts.state import folder_of
from tasks.rollouts.values import Look, State

logger = logging.getLogger(__name__)


def keep_look(state: State, look: Look) -> None:
    """Append it. A run that is killed and looks again keeps two, each of its own moment."""
    path = _path(state)
    made(path.parent)
    if torn := append_line(path, look.model_dump_json().encode()):
        logger.warning("%s: the last line was cut off by a crash, and is left out: %r", path, torn[:200])


def looks_of(state: State) -> list[Look]:
    """All of them, oldest first; a line that is no look (a crash may have cut it off) is left out and told."""
    path = _path(state)
    if not path.exists():
        return []
    found: dict[tuple[str, int], Look] = {}  # the same look kept twice is one
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            look = Look.model_validate_json(line)
        except ValidationError:
            logger.warning("%s:%s: no look of a rollout (a crash may have cut it off); it is left out", path, number)
        else:
            found[look.at.isoformat(), look.stage] = look
    return sorted(found.values(), key=lambda look: look.at)


def _path(state: State) -> Path:
    return folder_of(state) / "looks.jsonl"
