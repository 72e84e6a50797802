"""A look at the stage: everything that the log holds of it by now, and what each check says."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.schema import UseCase
from tasks.rollouts.checks.choose import checked
from tasks.rollouts.declared import declared_by, level_of, now
from tasks.rollouts.evidence import gather
from tasks.rollouts.strategies.choose import in_force
from tasks.rollouts.values import Look, State
from tasks.verdicts.ratio import mismatch


@task
def look_at(use_case: UseCase, state: State) -> Look:
    """Every check of the stage's traffic. Where none was ever moved there is nothing to look at."""
    declared, at = declared_by(use_case), now(use_case)
    place = in_force(declared, state.stage)
    if place is None:
        return Look(at=at, stage=state.stage, requests=0)
    evidence = gather(use_case, declared, state, place)
    found = [checked(evidence, check, level_of(declared)) for check in declared.checks]
    verdicts = [each for each in found if each is not None]
    for each in verdicts:
        log = get_run_logger().warning if each.only_told else get_run_logger().info
        log("%s: %s", each.verdict, each.reason)
    wrong = mismatch(evidence.counts, evidence.shares)
    return Look(at=at, stage=state.stage, requests=len(evidence.challenger), verdicts=verdicts, mismatch=wrong)
