"""Harms: how a row was treated, the higher the worse, by each criterion of `fairness`."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.fairness import Criterion
from configs.schema import UseCase
from tasks.data.measures import Outcomes, outcomes_of
from tasks.rollouts.evidence import Evidence
from tasks.rollouts.protected import GROUP, SINCE

HARM = "harm."  # how columns begin that hold them
OF: dict[Criterion, tuple[str, ...]] = {
    "selection_rate": ("unfavourable answers",),
    "false_negative_rate": ("false negatives",),
    "false_positive_rate": ("false positives",),
    "equalised_odds": ("false negatives", "false positives"),
    "error": ("error",),
}
ERROR = "error"
AT_ONCE = "unfavourable answers"  # all others are known with the label


def harms_of(use_case: UseCase) -> list[str]:
    """Those that its criteria ask for, each once."""
    given = use_case.fairness.criteria.given if use_case.fairness else {}
    return list(dict.fromkeys(harm for criterion in given for harm in OF[criterion]))


def with_harms(evidence: Evidence, use_case: UseCase) -> Evidence:
    """The evidence with a `harm.NAME` of each row, in [0, 1], beside its key, its groups and when those and its label were
    known; NaN where the row does not count.
    """
    theirs, ours = _both(evidence, use_case, evidence.challenger, evidence.reference)
    before = None if evidence.before is None else _both(evidence, use_case, *evidence.before)
    return evidence._replace(challenger=theirs, reference=ours, before=before)


def _both(evidence: Evidence, use_case: UseCase, theirs: Any, ours: Any) -> tuple[Any, Any]:
    if harms_of(use_case) == [ERROR]:
        return _errors(evidence, theirs, ours)
    return _judged(evidence, use_case, theirs), _judged(evidence, use_case, ours)


def _errors(evidence: Evidence, theirs: Any, ours: Any) -> tuple[Any, Any]:
    """As shares of an error that only a hundredth of the reference's has, as the loss is."""
    known = [rows["target"].notna().to_numpy() for rows in (theirs, ours)]
    found = [np.full(len(rows), np.nan) for rows in (theirs, ours)]
    if all(each.any() for each in known):
        now, before = (evidence.answered(rows[each]) for rows, each in zip((theirs, ours), known, strict=True))
        found[1][known[1]], found[0][known[0]], _ = evidence.problem.losses(before, now)
    return _kept(theirs, {ERROR: found[0]}), _kept(ours, {ERROR: found[1]})


def _judged(evidence: Evidence, use_case: UseCase, rows: Any) -> Any:
    nobody = Outcomes(np.zeros(0), np.zeros(0))
    both = outcomes_of(use_case, evidence.problem, evidence.contract, *evidence.answered(rows)) if len(rows) else nobody
    return _kept(rows, {name: _harm(name, both) for name in harms_of(use_case)})


def _kept(rows: Any, harms: dict[str, np.ndarray]) -> Any:
    """What is compared again and again, group by group."""
    groups = [name for name in rows if str(name).startswith((GROUP, SINCE))]
    return rows[["key", "told", *groups]].assign(**{f"{HARM}{name}": values for name, values in harms.items()})


def _harm(name: str, outcomes: Outcomes) -> np.ndarray:
    """1 where the answer was worse for whom it was given to, or wrong; of rows whose label is such as the rate is of."""
    answered, turned = outcomes
    refused = 1 - answered
    of = {
        AT_ONCE: refused,
        "false negatives": np.where(turned == 1, refused, np.nan),
        "false positives": np.where(turned == 0, answered, np.nan),
    }
    return of[name]
