"""What people say to a rollout: each word is kept with who said it, when and why. It needs no Prefect and no MLflow."""

from __future__ import annotations

from configs.errors import InputError
from configs.rollout import Approval, Stage
from configs.schema import UseCase
from tasks.fence import switching
from tasks.history import record
from tasks.people import NotAllowed, Person, PersonRole, may
from tasks.rollouts.declared import declared_by, now
from tasks.rollouts.state import the_rollout
from tasks.rollouts.take_back import end_rollout, tidy
from tasks.rollouts.values import Said, State, Word
from tasks.rollouts.words import keep_word, the_pause, words_of

NEEDED = {
    "pause": "going on",
    "resume": "paused",
    "promote": "in a stage that ends by itself (it waits for an approval)",
    "approve": "waiting for an approval",
    "reject": "waiting for an approval",
}
MAY: dict[Said, PersonRole] = {"approve": "approver", "reject": "approver"}


def say(use_case: UseCase, said: Said, reason: str, key: str | None = None) -> State:
    """Keep the word, and carry out at once an abort or a rejection; the rest is heeded by the next look.

    `key` is the API key that somebody typed into a form. A look that goes on meanwhile is not disturbed. A challenger that
    is worse goes back whatever was said.

    Raises:
        InputError: no rollout is under way, or the word does not fit where it stands.
        NotAllowed: whoever says it may not.
    """
    person = may(MAY.get(said, "operator"), f"say {said!r}", key)
    with switching(use_case.name):
        state = the_rollout(use_case.name)
        _fits(use_case, state, said, person)
        word = Word(said=said, by=person.name, at=now(use_case), reason=reason, stage=state.stage)
        keep_word(state, word)
        told = f"{word.by} said {said}: {reason}"
        record(
            use_case.name,
            "rollout",
            told,
            rollout=state.id,
            version=state.challenger.version,
            move="said",
            said=said,
            by=person.name,
        )
        ended = end_rollout(use_case.name, told) if said in ("abort", "reject") else None
    if ended is not None:
        tidy(ended)
    return ended or state


def _fits(use_case: UseCase, state: State, said: Said, person: Person) -> None:
    declared = declared_by(use_case)
    stage = declared.stages[min(state.stage, len(declared.stages) - 1)]
    paused, approval = the_pause(words_of(state)) is not None, isinstance(stage, Approval)
    there = {
        "pause": not paused,
        "resume": paused or bool(state.look and state.look.mismatch),
        "promote": not approval,
        "approve": approval,
        "reject": approval,
    }
    if not there.get(said, True):
        raise InputError(f"the rollout of {use_case.name!r} is not {NEEDED[said]}, so there is nothing to {said}")
    _four_eyes(stage, state, said, person)


def _four_eyes(stage: Stage, state: State, said: Said, person: Person) -> None:
    if said == "approve" and isinstance(stage, Approval) and stage.four_eyes and person.name == state.by:
        raise NotAllowed(f"{person.name} began this rollout, and 'four_eyes' wants somebody else to approve it")
