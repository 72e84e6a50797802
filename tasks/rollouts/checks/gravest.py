"""Of the verdicts of several slices or groups the gravest: worse in one is worse."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.verdicts.values import Verdict

RANKS = ("better", "equivalent", "undecided", "worse")


def gravest(found: Sequence[Verdict]) -> Verdict:
    """The one that is worst, or least sure not to be; where several are worse, with the reasons of all."""
    top = max(found, key=_badness)
    if top.verdict != "worse":
        return top
    return top.model_copy(update={"reason": "; ".join(each.reason for each in found if each.verdict == "worse")})


def _badness(verdict: Verdict) -> tuple[int, float]:
    return RANKS.index(verdict.verdict), float("inf") if verdict.upper is None else verdict.upper
