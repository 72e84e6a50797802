"""A look at the stage: everything that the log holds of it by now, and what each check says."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.rollout import Rollout
from configs.schema import UseCase
from tasks.rollouts.carry_out import arms_of
from tasks.rollouts.checks.choose import checked
from tasks.rollouts.declared import declared_by, level_of, now
from tasks.rollouts.evidence import Evidence, gather
from tasks.rollouts.strategies.choose import in_force
from tasks.rollouts.values import Look, State
from tasks.verdicts.ratio import mismatch
from tasks.verdicts.values import Verdict


@task
def look_at(use_case: UseCase, state: State) -> Look:
    """Every check of the stage's traffic. Where none was ever moved there is nothing to look at."""
    declared, at = declared_by(use_case), now(use_case)
    place = in_force(declared, state.stage)
    if place is None:
        return Look(at=at, stage=state.stage, requests=0)
    found = {arm: gather(use_case, declared, state, place, arm) for arm in arms_of(state)}
    verdicts = [each for arm, evidence in found.items() for each in _verdicts(declared, evidence, arm if state.left else "")]
    for each in verdicts:
        log = get_run_logger().warning if each.only_told else get_run_logger().info
        log("%s%s: %s", f"{each.variant}: " if each.variant else "", each.verdict, each.reason)
    of_all = next(iter(found.values()))
    wrong = mismatch(of_all.counts, of_all.shares)
    requests = min(len(evidence.challenger) for evidence in found.values())
    return Look(at=at, stage=state.stage, requests=requests, verdicts=verdicts, mismatch=wrong)


def _verdicts(declared: Rollout, evidence: Evidence, variant: str) -> list[Verdict]:
    found = [checked(evidence, check, level_of(declared)) for check in declared.checks]
    return [each.model_copy(update={"variant": variant}) for each in found if each is not None]
