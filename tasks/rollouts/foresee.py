"""Whether a stage can end as it should: how long its required checks need at the traffic of late, before it begins.

The champion's requests of late are compared with themselves, by the very checks of the stage: that gives the spread of each
measure and how many points of it come, with the labels and numbers that are known by now. `tasks/verdicts/power.py` says how
many are needed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from configs.errors import InputError
from configs.forms import in_words
from configs.rollout import CHALLENGER, Ab, Check, Rollout
from configs.schema import UseCase
from tasks.data.frames import contract_of
from tasks.log.exposures import read_recent
from tasks.problems.problem import problem_of
from tasks.registry.values import Version
from tasks.rollouts.checks.choose import checked
from tasks.rollouts.declared import level_of
from tasks.rollouts.evidence import CHAMPION, Evidence
from tasks.rollouts.protected import to_read, with_groups
from tasks.rollouts.strategies.choose import STRATEGIES
from tasks.verdicts.power import points_needed, spread

DAY = timedelta(days=1)
NEVER = timedelta(days=36_500)


class Recent(NamedTuple):
    """The champion's requests of the time `back`, and how many keys (or requests) there were to each of its own."""

    evidence: Evidence
    back: timedelta
    others: float


def foresee(use_case: UseCase, declared: Rollout, champion: Version, at: datetime) -> list[str]:
    """How long each `ab` stage needs until its required checks are decided, in a line a check.

    Raises:
        InputError: one is not decided within the time of its stage, even when it goes on for `patience`.
    """
    told: list[str] = []
    for place, stage in enumerate(declared.stages):
        if not isinstance(stage, Ab):
            continue
        most = stage.lasts * (1 + declared.patience)
        recent = recent_of(use_case, declared, champion, at, most, stage.share)
        found = [each for check in declared.checks if check.required and (each := needed(declared, stage, check, recent))]
        named = f"stage {place + 1} (ab), which lasts {in_words(most)} at most"
        told += [f"{named}: {line}" for _, line in found]
        if wrong := [line for long, line in found if long is not None and long > most]:
            hint = "Give it longer ('for'), or a larger 'margin' or 'detect', or take 'required' off"
            raise InputError(f"{named}: {'; '.join(wrong)}. {hint}")
    return told


def needed(declared: Rollout, stage: Ab, check: Check, recent: Recent) -> tuple[timedelta | None, str] | None:
    """How long the check needs, None where the log does not say; nothing of one that cannot be in such a stage."""
    if (itself := checked(recent.evidence, check, level_of(declared))) is None:
        return None
    if itself.lower is None or itself.upper is None:
        return None, f"how long {check.name!r} needs is not known: of late there were {itself.points[0]} points of it"
    effect = check.margin if check.detect is None else check.detect
    variance = spread((itself.upper - itself.lower) / 2, itself.points, itself.level)
    share, beside = STRATEGIES[stage.strategy].shares(stage)
    shares, bounded = (share, beside or 1 - stage.all_of_them), check.measure != "kpi"
    points = points_needed(variance, shares, effect, itself.level, bounded=bounded)
    came = itself.points[0] * recent.others
    unit = "persons" if declared.key else "requests"
    pace = f"{came / (recent.back / timedelta(hours=1)):,.3g} {unit} an hour"
    long = min(recent.back * min(points / came, NEVER / recent.back), NEVER)
    if long == NEVER:
        return long, f"{check.name!r} is never decided to within {effect:g} at {pace}"
    return long, f"{check.name!r} is decided to within {effect:g} after {points:,.0f} {unit}, in {in_words(long)} at {pace}"


def recent_of(
    use_case: UseCase, declared: Rollout, champion: Version, at: datetime, most: timedelta, share: float
) -> Recent:
    """Of a time as long as the stage: persons who come again are new only once in it, and its labels come as late.

    Where requests count, of a day at least, since nights are no days.
    """
    contract = contract_of(champion.tags["contract"])
    back = most if declared.key else max(most, DAY)
    read = to_read(use_case, declared)
    rows, first = read_recent(use_case, at - back, at, contract, read.kpis, declared.key, read.columns)
    rows = with_groups(use_case, contract, rows)
    own = rows[rows["assigned"] != CHALLENGER]
    evidence = Evidence(
        False,
        own,
        own,
        problem_of(use_case.target),
        contract,
        {},
        {CHALLENGER: share, CHAMPION: 1 - share},
        declared.key is not None,
        use_case=use_case,
    )
    known = back if first is None else min(back, max(at - first, timedelta(seconds=1)))
    return Recent(evidence, known, rows["key"].nunique() / max(own["key"].nunique(), 1))
