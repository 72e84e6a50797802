"""The guard of a home: `python -m console.guard`, kept running like every service.

While a rollout moves traffic it looks every second at what the champion's servers count of the challenger, and takes back
one that is plainly broken (`tasks/rollouts/guard_rails.py`). Of a rollout that has ended it ends the traffic plan, where
whoever ended it was killed before that. It needs neither Prefect nor MLflow.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

from configs.settings import home

SECONDS = 1.0
MOVING, ENDED = ("progressing", "waiting"), ("failed", "succeeded")
logger = logging.getLogger("guard")


def main() -> None:
    """Watch until SIGTERM; what goes wrong with one use case is told, and stops no other."""
    watched: dict[str, Any] = {}
    while True:
        for path in (home() / "use_cases").glob("*/rollout.json"):
            name = path.parent.name
            try:
                if (phase := _phase(path)) in MOVING:
                    _look(watched, name)
                elif phase in ENDED and any(path.parent.glob("traffic/*.json")):
                    _tidy(name)
            except Exception:  # the next second looks again
                logger.exception("the rollout of %s could not be watched", name)
        time.sleep(SECONDS)


def _phase(path: Path) -> str:
    """Where a rollout stands, by a look at its file that loads nothing."""
    try:
        return str(json.loads(path.read_bytes())["phase"])
    except FileNotFoundError:  # retired a moment ago
        return ""


def _look(watched: dict[str, Any], name: str) -> None:
    from tasks.rollouts.guard_rails import Watched
    from tasks.rollouts.state import Moved, under_way

    state = under_way(name)
    if state is None or state.phase not in MOVING:
        return
    try:
        why = watched.setdefault(name, Watched()).look(state, time.monotonic())
    except Moved:  # a look or a person was at it in the same moment
        return
    if why:
        logger.warning("a challenger of %s was taken back: %s", name, why)
        _tell(name)


def _tidy(name: str) -> None:
    from tasks.rollouts.take_back import end_its_plan, left_its_plan

    if left_its_plan(name):  # the plan of a halt stays
        logger.warning("the last rollout of %s has ended, and its traffic plan ends now", name)
        end_its_plan(name)


def _tell(name: str) -> None:
    """Tell people at once; who cannot be told now is told by the next look."""
    from configs.load import load_use_case
    from tasks.monitoring.alerts.tell_rollout import tell
    from tasks.rollouts.state import last_rollout

    state = last_rollout(name)
    assert state is not None, "it was taken back a moment ago"
    for channel, why in tell(load_use_case(name), state, ()).items():
        logger.warning("not told, tried again by the next look: %s: %s", channel, why)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    main()
