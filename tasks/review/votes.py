"""Votes: what decisions of people come to, and by when. Pure, so that it is the same whoever looks, whenever."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.review.values import Decision


def agreed(decisions: Sequence[Decision], persons: int) -> tuple[Decision, ...]:
    """The first decisions, oldest first, in which so many different people gave the same answer; empty where none did.

    Two who disagree wait for a third, whom one of them agrees with, or a fourth.
    """
    by_answer: dict[str, dict[str, Decision]] = {}
    for each in decisions:
        same = by_answer.setdefault(repr(each.answer), {})
        same.setdefault(each.by, each)
        if len(same) >= persons:
            return tuple(same.values())
    return ()
