"""How long a stage may still go on: people plan by moments, so these are told as such."""

from __future__ import annotations

from datetime import datetime, timedelta

from configs.rollout import Ab, Approval, BlueGreen, Rollout
from tasks.rollouts.values import State
from tasks.rollouts.words import the_pause, words_of

OTHERWISE = {
    "ask": "it waits for a person",
    "promote": "it goes on to the next stage (of too few requests it waits for a person)",
    "roll back": "the challenger is taken back",
}


def how_long(declared: Rollout, state: State) -> str:
    """When the stage ends, at the soonest and at the latest, and what happens then; empty where that is known by nobody."""
    stage = declared.stages[min(state.stage, len(declared.stages) - 1)]
    if state.phase == "finalising" and isinstance(stage, BlueGreen) and state.stage_began:
        return f"Version {state.champion.version} stays warm until {moment(state.stage_began + stage.warm)}."
    if state.phase not in ("progressing", "waiting") or state.seen is None or isinstance(stage, BlueGreen):
        return ""
    if the_pause(words_of(state)):
        return "Its time stands still until a person says 'resume'."
    began = state.seen - timedelta(seconds=state.ran)  # the pauses taken out
    if isinstance(stage, Approval):
        return f"Unless a person answers until {moment(began + stage.within)}, it is as if {stage.otherwise}."
    if state.phase == "waiting":
        return "It waits for a person, however long that takes."
    end, latest = began + stage.lasts, moment(began + (1 + declared.patience) * stage.lasts)
    if state.seen >= end:
        return f"Its time is over; for what is missing it goes on until {latest}, then {OTHERWISE[declared.undecided]}."
    early = ", or as soon as every required check is decided" if isinstance(stage, Ab) else ""
    missing = f"a required check undecided, or under {declared.min_requests:,} requests"
    return f"It ends at {moment(end)}{early}. With {missing}, at {latest}: then {OTHERWISE[declared.undecided]}."


def moment(time: datetime) -> str:
    """A time as people read it.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 3, 1, 14, 30, tzinfo=UTC))
    '2026-03-01 14:30 UTC'
    """
    return f"{time:%Y-%m-%d %H:%M %Z}".strip()
