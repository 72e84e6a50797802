"""A rollout within the main job: history is replayed up to where a stage is over, then looked at, until it has ended."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.console import Console

from configs.rollout import Timed
from configs.schema import UseCase
from console.commands.replay import Replay, replayed
from console.follow import follow, start
from tasks.rollouts.declared import declared_by, now
from tasks.rollouts.state import under_way
from tasks.rollouts.tell import line
from tasks.rollouts.values import State

LONGER = timedelta(days=1)  # where a stage goes on because something is undecided


def rolled_out(case: UseCase, replay: Replay, until: datetime, rate: float | None, screen: Console) -> None:
    """Go through the stages of the rollout that is under way, as far as that moment; one that waits for a person waits."""
    while (state := under_way(case.name)) is not None and (due := _due(case, state)) <= until:
        screen.print(line(declared_by(case), state), markup=False)
        replayed(replay, due, None, rate, screen)
        follow(start("rollout", case.name), screen)
        if (after := under_way(case.name)) is not None and after.phase == "waiting":
            screen.print(
                f"{line(declared_by(case), after)} ('slipway rollout {case.name}'); the replay goes on", markup=False
            )
            return


def _due(case: UseCase, state: State) -> datetime:
    """When a look can lead to something: where the stage is over; at once, where a person may have said something by now."""
    moment, stage = now(case), declared_by(case).stages[state.stage]
    if state.phase == "finalising":
        return moment + LONGER
    if state.phase != "progressing" or not isinstance(stage, Timed):
        return moment
    left = stage.lasts - timedelta(seconds=state.ran)
    return moment + (left if left > timedelta(0) else LONGER)
