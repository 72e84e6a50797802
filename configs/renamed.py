"""Keys of a use case that have another name now.

Whoever writes an old one is told the new one; a version that was made with it can still be built again.
"""

from __future__ import annotations

from typing import Any

RENAMED = {"deploy.target": "deploy.platform", "monitoring.targets": "monitoring.objectives"}


def in_todays_words(recorded: dict[str, Any]) -> dict[str, Any]:
    """A use case as it was recorded, with today's keys.

    >>> in_todays_words({"name": "n", "deploy": {"target": "local"}})
    {'name': 'n', 'deploy': {'platform': 'local'}}
    """
    found = {key: dict(value) if isinstance(value, dict) else value for key, value in recorded.items()}
    for old, new in RENAMED.items():
        group, key = old.split(".")
        if key in found.get(group, {}):
            found[group][new.removeprefix(f"{group}.")] = found[group].pop(key)
    return found
