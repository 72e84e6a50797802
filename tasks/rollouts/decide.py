"""What a look at a stage leads to: a pure function of what was declared, where the rollout stands, and what was seen.

The order is the order of who outranks whom: a challenger that is worse goes back, whatever a person has paused or approved;
then what people said; then the time; and too few requests never promote.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NamedTuple

from configs.forms import in_words
from configs.rollout import Ab, Approval, BlueGreen, Rollout
from tasks.rollouts.values import Look, State, Word
from tasks.rollouts.words import last_word, the_pause

Move = Literal["stay", "wait", "next", "back"]


class Step(NamedTuple):
    """What to do now, and why."""

    move: Move
    why: str


def decide(declared: Rollout, state: State, words: list[Word], look: Look) -> Step:
    """Stay in the stage, wait for a person, go on to the next one (after the last: promote), or take the challenger back.

    `words` are all that people have said so far, oldest first.
    """
    if look.worse:
        return Step("back", "; ".join(each.reason for each in look.worse))
    if (pause := the_pause(words)) is not None:
        return Step("wait", f"paused by {pause.by}: {pause.reason}")
    if (word := last_word(words, state.stage, "promote")) is not None:
        return Step("next", f"{word.by} said promote: {word.reason}")
    if look.mismatch and last_word(words, state.stage, "resume") is None:
        return Step("wait", f"the shares are not those declared: {look.mismatch}. 'resume' goes on, 'abort' ends it")
    stage, ran = declared.stages[state.stage], timedelta(seconds=state.ran)
    if isinstance(stage, Approval):
        return _approval(stage, last_word(words, state.stage, "approve", "reject"), ran)
    if isinstance(stage, BlueGreen):
        return Step("next", "blue_green goes to all at once")
    if isinstance(stage, Ab) and look.requests >= declared.min_requests and not undecided(declared, look):
        return Step("next", "every required check is decided")
    if ran < stage.lasts:
        return Step("stay", f"{in_words(stage.lasts - ran)} of {in_words(stage.lasts)} are left")
    return _at_the_end(declared, state, look, ran - stage.lasts, stage.lasts)


def undecided(declared: Rollout, look: Look) -> list[str]:
    """The required checks that say nothing yet, or not of every group; those that cannot be in this stage are left out."""
    open_ = {each.check for each in look.verdicts if each.verdict == "undecided" or each.too_few}
    return [check.name for check in declared.checks if check.required and check.name in open_]


def _worth_waiting(declared: Rollout, look: Look) -> list[str]:
    """Those of them that may be decided yet: a group of a few people stays one, and holds nobody for ever."""
    open_ = {each.check for each in look.verdicts if each.verdict == "undecided" and not each.silent}
    return [check for check in undecided(declared, look) if check in open_]


def _at_the_end(declared: Rollout, state: State, look: Look, over: timedelta, lasts: timedelta) -> Step:
    few, open_ = look.requests < declared.min_requests, _worth_waiting(declared, look)
    if not few and not open_:
        return Step("next", "its time is over and no check says worse")
    why = (
        f"{look.requests:,} requests are fewer than the {declared.min_requests:,} that 'min_requests' asks for"
        if few
        else f"undecided: {', '.join(open_)}"
    )
    if over < declared.patience * lasts:
        return Step("stay", f"{why}; it goes on for at most {in_words(declared.patience * lasts - over)} more")
    if declared.undecided == "promote" and not few:
        return Step("next", f"{why}; 'undecided: promote' goes on")
    if declared.undecided == "roll back":
        return Step("back", f"{why} after {in_words(over + lasts)}; 'undecided: roll back'")
    return Step("wait", f"{why} after {in_words(over + lasts)}; 'promote' or 'abort' decides")


def _approval(stage: Approval, word: Word | None, ran: timedelta) -> Step:
    if word is not None:
        return Step("next" if word.said == "approve" else "back", f"{word.by} said {word.said}: {word.reason}")
    if ran < stage.within:
        return Step("wait", f"an approval; within {in_words(stage.within - ran)}, or else as if {stage.otherwise}")
    move: Move = "next" if stage.otherwise == "approve" else "back"
    return Step(move, f"nobody answered within {in_words(stage.within)}, which is as if {stage.otherwise}")
