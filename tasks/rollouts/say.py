"""What people say to a rollout: each word is kept with who said it, when and why. It needs no Prefect and no MLflow."""

from __future__ import annotations

import getpass

from configs.errors import InputError
from configs.rollout import Approval
from configs.schema import UseCase
from tasks.rollouts.declared import declared_by, now
from tasks.rollouts.state import change, the_rollout
from tasks.rollouts.take_back import take_back
from tasks.rollouts.values import Said, State, Word

NEEDED = {"pause": "going on", "resume": "paused", "approve": "waiting for an approval", "reject": "waiting for an approval"}


def say(use_case: UseCase, said: Said, reason: str) -> State:
    """Keep the word, and do at once what it means where that is to stop: a pause, an abort, a rejection.

    The rest is done by the next look: a challenger that is worse goes back whatever was said.

    Raises:
        InputError: no rollout is under way, or the word does not fit where it stands.
    """
    state = the_rollout(use_case.name)
    _fits(use_case, state, said)
    word = Word(said=said, by=getpass.getuser(), at=now(use_case), reason=reason)
    paused = {"pause": True, "resume": False}.get(said, state.paused)
    state = change(state, words=[*state.words, word], paused=paused)
    return take_back(state, f"{word.by} said {said}: {reason}") if said in ("abort", "reject") else state


def _fits(use_case: UseCase, state: State, said: Said) -> None:
    declared = declared_by(use_case)
    stage = declared.stages[min(state.stage, len(declared.stages) - 1)]
    held = state.paused or bool(state.look and state.look.mismatch)
    there = {
        "pause": not state.paused,
        "resume": held,
        "approve": isinstance(stage, Approval),
        "reject": isinstance(stage, Approval),
    }
    if not there.get(said, True):
        raise InputError(f"the rollout of {use_case.name!r} is not {NEEDED[said]}, so there is nothing to {said}")
