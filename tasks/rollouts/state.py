"""Where a use case's rollout stands: one file, changed under the lock that rollbacks take, by whoever saw it as it is.

What is about to be done is written before it is done, so that what a killed run began is gone on with by the next one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.errors import CheckFailed, InputError
from configs.files import write_atomically
from configs.settings import home, use_case_home
from tasks.fence import refuse_if_fenced, switching
from tasks.rollouts.values import State


class Moved(CheckFailed):
    """Somebody else has changed the rollout since it was looked at; the next look decides anew."""


def last_rollout(use_case: str) -> State | None:
    """The rollout that is under way, or the last one that has ended."""
    path = _path(use_case)
    return State.model_validate_json(path.read_bytes()) if path.exists() else None


def under_way(use_case: str) -> State | None:
    """The rollout that has not ended."""
    last = last_rollout(use_case)
    return None if last is None or last.ended else last


def the_rollout(use_case: str) -> State:
    """The rollout that has not ended.

    Raises:
        InputError: there is none.
    """
    if (state := under_way(use_case)) is None:
        raise InputError(
            f"no rollout of {use_case!r} is under way in {home()}; 'slipway rollout {use_case} start --version N' begins one"
        )
    return state


def refuse_during_rollout(use_case: str) -> None:
    """A release or a deploy would take down what a rollout has brought up.

    Raises:
        InputError: one is under way.
    """
    if (state := under_way(use_case)) is not None:
        is_ = "are" if len(state.challengers) > 1 else "is"
        raise InputError(
            f"{state.who} of {use_case!r} {is_} being rolled out (stage {state.stage + 1}); wait for it "
            f"('slipway rollout {use_case}'), or end it with 'slipway rollout {use_case} abort --reason ...'"
        )


def begin(state: State) -> State:
    """Write a new rollout down.

    Raises:
        Fenced: the use case was rolled back since.
        InputError: another one is under way.
    """
    with switching(state.use_case, state.began_at_epoch):
        refuse_during_rollout(state.use_case)
        return _write(state)


def change(looked_at: State, /, **changed: Any) -> State:
    """The rollout with these fields changed, if nobody else has changed it since it was looked at.

    Raises:
        Fenced: the use case was rolled back since the rollout began.
        Moved: somebody has changed it.
    """
    with switching(looked_at.use_case):
        refuse_if_fenced(looked_at.use_case, looked_at.began_at_epoch)
        return changed_now(looked_at, **changed)


def changed_now(looked_at: State, /, **changed: Any) -> State:
    """The same for a caller that holds the lock, and whom no fence stops."""
    now = last_rollout(looked_at.use_case)
    if now is None or (now.id, now.revision) != (looked_at.id, looked_at.revision):
        raise Moved(f"the rollout of {looked_at.use_case} was changed meanwhile; run this again")
    return _write(now.model_copy(update={**changed, "revision": now.revision + 1}))


def folder_of(state: State) -> Path:
    """Where a rollout keeps what grows: words and looks."""
    return rollouts_folder(state.use_case) / state.id


def rollouts_folder(use_case: str) -> Path:
    """Where those folders lie, of every rollout there was."""
    return use_case_home(use_case) / "rollouts"


def _write(state: State) -> State:
    write_atomically(_path(state.use_case), state.model_dump_json(indent=1).encode())
    return state


def _path(use_case: str) -> Path:
    return use_case_home(use_case) / "rollout.json"
