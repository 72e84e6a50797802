"""Fairness: the answers of a window by the groups of protected columns, as far as the log or feedback says those."""

from __future__ import annotations

from prefect import task

from configs.schema import UseCase
from serving.scoring.bundle import read_bundle
from tasks.data.groups import groups_of
from tasks.data.measures import outcomes_of
from tasks.data.protected import favourable_place
from tasks.fairness.criteria import judge
from tasks.fairness.logged import logged
from tasks.fairness.values import FairnessFound
from tasks.log.values import Window
from tasks.packaging.values import BundleRef
from tasks.problems.problem import problem_of

LOOKS = 2  # at a window: when it closed, and when its labels have come


@task
def watch_fairness(use_case: UseCase, window: Window, bundle: BundleRef) -> FairnessFound | None:
    """Hold the groups of a window against the criteria of `fairness`; None where the use case has none.

    Labels count as far as they have come. All intervals of both looks hold together with 1 - `monitoring.false_alarm_rate`,
    so at most that share of windows in which every criterion is kept is called violated. A protected column that the log
    does not have is told, and not judged.
    """
    import pandas as pd

    rules = use_case.fairness
    if rules is None:
        return None
    problem, contract = problem_of(use_case.target), read_bundle(bundle.path).contract
    rows = pd.read_parquet(window.path)
    found = {name: logged(use_case, rows, name) for name in rules.protected}
    columns = {name: column for name, column in found.items() if not isinstance(column, str)}
    groups = groups_of(columns, rules.intersections and len(columns) == len(found))
    outcomes = outcomes_of(use_case, problem, contract, problem.known(rows["target"]), problem.read(rows[problem.column]))
    place = favourable_place(use_case, contract.classes)
    favourable = "" if place is None else str(contract.classes[place])
    confidence = 1 - use_case.monitoring.false_alarm_rate / LOOKS
    judged = judge(rules, favourable, outcomes, groups, confidence)
    return judged.model_copy(update={"unseen": {name: why for name, why in found.items() if isinstance(why, str)}})
