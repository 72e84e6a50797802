"""Fairness: whether the challenger treats a protected group worse than the champion does.

Of every group what is compared is that group's own rate under both: of the same requests where the challenger is a shadow,
of two parts of the group where each meets some of its requests. Whether groups are alike is another question, which the gate
of the release and every window ask.

Each criterion and column has an equal part of the check's level. Which groups there are only the traffic shows, and more may
come at any time: the j-th that came has 1 / (j (j + 1)) of that part, which for any number of groups add up to one at most
(Bonferroni's inequality, weighted). Who came first is no matter of what was answered, so the intervals of all groups hold
together, at all times.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from configs.rollout import Check
from configs.schema import UseCase
from tasks.data.groups import TOGETHER
from tasks.fairness.logged import logged
from tasks.fairness.told import FEW
from tasks.rollouts.checks.gravest import gravest
from tasks.rollouts.checks.groups import compared
from tasks.rollouts.evidence import Evidence
from tasks.rollouts.harms import AT_ONCE, HARM, harms_of, with_harms
from tasks.rollouts.protected import GROUP, SINCE, columns_by
from tasks.verdicts import pairs
from tasks.verdicts.judge import LEAST, judged
from tasks.verdicts.trends import Found
from tasks.verdicts.values import Verdict

NAMED = 3  # of groups that are too small, in a line


def fairness(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """The verdict of the group that is treated worst; groups too small to say are named, and decide nothing."""
    case = evidence.use_case
    if case is None or case.fairness is None or evidence.alone:
        return None
    treated, columns, harms = with_harms(evidence, case), columns_by(case), harms_of(case)
    least, part = max(case.fairness.least, LEAST), level / (len(columns) * len(harms))
    found: list[Verdict] = []
    few: list[str] = []
    for by in columns:
        groups = _came(treated, by)
        few += [] if groups else [f"{by}: {_why_none(case, evidence, by)}"]
        for place, group in enumerate(groups, start=1):
            of_group = treated.where(f"{GROUP}{by}", group)
            for harm in harms:
                name = f"{by} {group}, {harm}"
                verdict = _verdict(of_group, check, by, harm, part / (place * (place + 1)))
                if min(verdict.points) < least:
                    few.append(name)
                else:
                    found.append(verdict.model_copy(update={"reason": f"{name}: {verdict.reason}"}))
    told = _told(few)
    if not found:
        nothing = {"verdict": "undecided", "margin": check.margin, "level": level, "points": (0, 0)}
        return Verdict(check=check.name, reason=f"{check.name}: {told}", too_few=few, **nothing)
    top = gravest(found)
    reason = f"{top.reason}; {told}" if few else top.reason
    only = top.verdict == "worse" and case.fairness.on_violation == "tell"
    return top.model_copy(update={"reason": reason, "too_few": few, "only_told": only})


def _verdict(evidence: Evidence, check: Check, by: str, harm: str, level: float) -> Verdict:
    if not evidence.paired:
        return compared(evidence, check, level, partial(_difference, evidence, harm))
    theirs, ours = (rows[f"{HARM}{harm}"].to_numpy(dtype=float) for rows in (evidence.challenger, evidence.reference))
    rows = evidence.challenger.assign(apart=theirs - ours)
    known = rows[[f"{SINCE}{by}"] if harm == AT_ONCE else [f"{SINCE}{by}", "told"]].max(axis=1)
    rows = rows.assign(known=known).sort_values("known", kind="stable").dropna(subset="apart")
    each = evidence.by_key(rows["apart"].to_numpy(), rows)
    return judged(check.name, check.margin, level, (len(each), len(each)), pairs.mean(each, level))


def _difference(evidence: Evidence, harm: str, theirs: Any, ours: Any, level: float) -> tuple[tuple[int, int], Found | None]:
    sides = [rows[rows[f"{HARM}{harm}"].notna()] for rows in (theirs, ours)]
    one, other = (evidence.cluster(rows[f"{HARM}{harm}"].to_numpy(dtype=float), rows) for rows in sides)
    return evidence.points((one, other)), evidence.difference((one, other), level)


def _came(evidence: Evidence, by: str) -> list[str]:
    """The groups of the stage's requests, in the order in which the first of each was known."""
    import pandas as pd

    columns = [f"{GROUP}{by}", f"{SINCE}{by}"]
    rows = pd.concat([evidence.challenger[columns], evidence.reference[columns]]).dropna()
    first = rows.groupby(columns[0])[columns[1]].min()
    return sorted(first.index, key=lambda group: (first[group], group))


def _why_none(case: UseCase, evidence: Evidence, by: str) -> str:
    found = logged(case, evidence.challenger, by) if TOGETHER not in by else ""
    return found if isinstance(found, str) and found else "no request of this stage has a value of it so far"


def _told(few: list[str]) -> str:
    more = f" and {len(few) - NAMED} more" if len(few) > NAMED else ""
    return f"{FEW}: {'; '.join(few[:NAMED])}{more}"
