"""Judge fairness: the holdout's answers by the groups of the protected columns, which the model need not see."""

from __future__ import annotations

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact

from configs.schema import UseCase
from serving.contract.contract import Contract
from tasks.data.frames import contract_of, encode, read_rows
from tasks.data.groups import groups_of
from tasks.data.measures import outcomes_of
from tasks.data.protected import favourable_place
from tasks.data.values import Split
from tasks.fairness.criteria import judge
from tasks.fairness.proxies import proxies
from tasks.fairness.told import rows_of, told_judged
from tasks.fairness.values import FairnessFound, Proxy
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.training.failed import GateFailed
from tasks.training.values import Evaluation

PROXY_ROWS = 50_000


@step
def judge_fairness(use_case: UseCase, split: Split, evaluation: Evaluation) -> FairnessFound | None:
    """Hold the groups of the holdout against the criteria of `fairness`; None where the use case has none.

    The protected columns come from the snapshot, row by row beside the answers that the evaluation kept.

    Raises:
        GateFailed: naming every criterion that is violated, unless the use case says that this is only told.
    """
    import pandas as pd

    rules = use_case.fairness
    if rules is None:
        return None
    contract, problem = contract_of(evaluation.contract), problem_of(use_case.target)
    scores = pd.read_parquet(evaluation.scores_path)
    protected = read_rows(split.snapshot, split.cut, split.snapshot.rows, rules.protected)
    groups = groups_of({name: protected[name] for name in rules.protected}, rules.intersections)
    target, judged = problem.known(scores["target"]), problem.read(scores[problem.column])
    place = favourable_place(use_case, contract.classes)
    favourable = "" if place is None else str(contract.classes[place])
    found = judge(rules, favourable, outcomes_of(use_case, problem, contract, target, judged), groups)
    found = found.model_copy(update={"proxies": _proxies(use_case, split, contract)})
    create_table_artifact(
        key=f"fairness-{use_case.name}",
        table=rows_of(found),
        description=f"Fairness of a candidate for `{use_case.name}` on {found.rows:,} held out rows: {found.verdict}",
    )
    violated = [told_judged(each) for each in found.those("violated")]
    if violated and rules.on_violation == "refuse":
        raise GateFailed(f"fairness: {'; '.join(violated)} ('fairness.on_violation: tell' would release it all the same)")
    for line in [*violated, *(told_judged(each) for each in [*found.those("undecided"), *found.those("too few")])]:
        get_run_logger().warning("Fairness: %s", line)
    return found


def _proxies(use_case: UseCase, split: Split, contract: Contract) -> list[Proxy]:
    """Looked for in the newest rows of the snapshot, learned from or held out: that a column tells another is no matter of
    the model."""
    rules, rows = use_case.fairness, split.snapshot.rows
    if rules is None:
        return []
    newest = read_rows(split.snapshot, max(0, rows - PROXY_ROWS), rows)
    groups = groups_of({name: newest[name] for name in rules.protected}, together=False)
    seen = [column.name for column in contract.columns if column.kind != "text"]
    return proxies(encode(contract, newest)[seen], groups, rules.least)
