"""Keys of a use case that have another name now, or did not exist when it was recorded.

Whoever writes an old one is told the new one; a version that was made with it can still be built again.
"""

from __future__ import annotations

from typing import Any

RENAMED = {"deploy.target": "deploy.platform", "monitoring.targets": "monitoring.objectives"}


def in_todays_words(recorded: dict[str, Any]) -> dict[str, Any]:
    """A use case as it was recorded, with today's keys; a version that was made before intervals has none.

    >>> in_todays_words({"name": "n", "target": {"column": "y"}, "deploy": {"target": "local"}})
    {'name': 'n', 'target': {'interval': None, 'column': 'y'}, 'deploy': {'platform': 'local'}}
    """
    found = {key: dict(value) if isinstance(value, dict) else value for key, value in recorded.items()}
    for old, new in RENAMED.items():
        group, key = old.split(".")
        if key in found.get(group, {}):
            found[group][new.removeprefix(f"{group}.")] = found[group].pop(key)
    if "target" in found:
        found["target"] = {"interval": None, **found["target"]}
    return found
