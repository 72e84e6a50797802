"""Behaviour: what the use case says its model must do, asked of the release with cases from the rows it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
from prefect import task

from configs.schema import Behaviour, Direction, Invariance, Minimum, UseCase
from serving.contract.contract import Contract
from serving.contract.heads.choose import head_of
from tasks.columns.choose import KINDS
from tasks.deploying.values import Release
from tasks.gates.answers import outputs
from tasks.gates.cases import Record, reference_records
from tasks.gates.checks import Check, conclude, contract_of, expect, gateway_client, run
from tasks.problems.problem import problem_of

BATCH = 100
TOLERANCE = 1e-6


@task
def behaviour_gate(use_case: UseCase, release: Release) -> None:
    """Invariance, direction and minimum functionality as declared; and every optional column left out is still answered.

    The first three are the test types of Ribeiro et al. (2020), "Beyond Accuracy: Behavioral Testing of NLP Models with
    CheckList", https://aclanthology.org/2020.acl-main.442.

    Raises:
        GateClosed: naming each that failed, and the first case that did.
    """
    contract, records = contract_of(release), reference_records(release)
    with gateway_client(release) as http:
        asked = Model(http, contract)
        before = asked.outputs(records)
        checks = [_declared(case, asked, records, before, contract) for case in use_case.gates.behaviour]
        checks += [
            run(f"without {column.name}", lambda name=column.name: _without(name, asked, records))  # type: ignore[misc]
            for column in contract.columns
            if column.nullable
        ]
    conclude("behaviour", release, checks)


class Model:
    """The release, asked what its model gives."""

    def __init__(self, http: httpx.Client, contract: Contract) -> None:
        self.http, self.contract, self.head, self.problem = http, contract, head_of(contract), problem_of(contract)

    def outputs(self, records: list[Record]) -> np.ndarray:
        """Shape (rows, k), by HTTP."""
        starts = range(0, len(records), BATCH)
        return np.concatenate([outputs(self.http, self.head, records[first : first + BATCH]) for first in starts])

    def answer(self, record: Record) -> Any:
        """What it predicts."""
        answer = self.http.post("/predict", json={"records": [record]})
        expect(answer.status_code == 200, f"status {answer.status_code}: {answer.text[:200]}")
        return answer.json()["predictions"][0]["prediction"]


def _declared(case: Behaviour, model: Model, records: list[Record], before: np.ndarray, contract: Contract) -> Check:
    name = f"{case.test}: {case.because}"
    if isinstance(case, Minimum):
        return run(name, lambda: _minimum(case, model, records, contract))
    if isinstance(case, Invariance):
        return run(name, lambda: _invariance(case, model, records, before))
    return run(name, lambda: _direction(case, model, records, before))


def _invariance(case: Invariance, model: Model, records: list[Record], before: np.ndarray) -> str:
    moved = np.zeros(len(records))
    for column, values in case.change.items():
        for value in values:
            after = model.outputs([{**record, column: value} for record in records])
            moved = np.maximum(moved, model.problem.difference(after, before))
    return _enough(moved <= TOLERANCE, case.at_least, moved, range(len(records)), f"changing {', '.join(case.change)}")


def _direction(case: Direction, model: Model, records: list[Record], before: np.ndarray) -> str:
    """Cases that lack one of the columns have nothing to add to, and are left out.

    What must not move is of two classes the positive one's probability, of a number the number.
    """
    kept = [i for i, record in enumerate(records) if all(name in record for name in case.add)]
    cases = [{**records[i], **{name: records[i][name] + more for name, more in case.add.items()}} for i in kept]
    inside = [(i, changed) for i, changed in zip(kept, cases, strict=True) if _within(changed, case, model.contract)]
    expect(bool(inside), "no reference row has these columns, and room within the contract's bounds")
    after, earlier = model.outputs([changed for _, changed in inside]), before[[i for i, _ in inside]]
    moved = model.problem.moved(after, earlier)
    wrong = moved if case.never == "rises" else -moved
    what = " and ".join(f"{name} {more:+g}" for name, more in case.add.items())
    return _enough(wrong <= TOLERANCE, case.at_least, wrong, [i for i, _ in inside], what)


def _within(record: Record, case: Direction, contract: Contract) -> bool:
    rules = {column.name: column for column in contract.columns}
    for name in case.add:
        low, high = rules[name].minimum, rules[name].maximum
        if (low is not None and record[name] < low) or (high is not None and record[name] > high):
            return False
    return True


def _minimum(case: Minimum, model: Model, records: list[Record], contract: Contract) -> str:
    record = {**typical(records, contract), **case.given}
    found = model.answer(record)
    expect(found is not None, "left to a person, since no class is probable enough ('target.confidence')")
    if case.label is not None:
        expect(str(found) == str(case.label), f"answered {found} instead of {case.label}")
    if case.at_least is not None:
        expect(found >= case.at_least, f"answered {found:g}, which is less than {case.at_least:g}")
    if case.at_most is not None:
        expect(found <= case.at_most, f"answered {found:g}, which is more than {case.at_most:g}")
    return f"answered {found}"


def _without(name: str, model: Model, records: list[Record]) -> str:
    found = model.outputs([{key: value for key, value in record.items() if key != name} for record in records])
    expect(model.head.possible(found), "not a possible output")
    return f"{len(found)} answered"


def _enough(passed: np.ndarray, at_least: float, moved: np.ndarray, cases: Sequence[int], what: str) -> str:
    """The worst case is named by its number: its values may be somebody's, and this text goes into logs."""
    share, told = float(passed.mean()), f"{what}: {int(passed.sum())} of {len(passed)} cases as declared"
    worst = int(np.argmax(moved))
    if not passed.all():
        told += f"; the worst, reference case {cases[worst]}, moves by {moved[worst]:.4f}"
    expect(share >= at_least, told)
    return told


def typical(records: list[Record], contract: Contract) -> Record:
    """A record of medians and most frequent values."""
    found: Record = {}
    for column in contract.columns:
        values = [record[column.name] for record in records if column.name in record]
        if values:
            found[column.name] = KINDS[column.kind].typical(values)
    return found
