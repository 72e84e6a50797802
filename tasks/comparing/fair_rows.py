"""Fair rows: labelled rows of a snapshot that none of the compared versions learned from, and who answers them for each.

First rows are looked for that even the models that serve have not seen: later than what each of them learned, or, without a
time, those that nobody ever learns from. A version that was trained later has them in its snapshot. Where there are too few,
the holdout of the newest is taken as a verdict takes it: versions of that snapshot answer by their candidate, which was
fitted without these rows, all others as they serve, on those that they have not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from configs.errors import CheckFailed, InputError
from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.contract.faults import ContractError
from serving.scoring.onnx import Scorer
from tasks.comparing.side import Side, newest_first
from tasks.data.frames import encode, model_input, read_rows
from tasks.data.values import Snapshot, Split
from tasks.packaging.reference import holdout_of
from tasks.problems.chance import day_blocks
from tasks.problems.problem import Problem, problem_of
from tasks.training.enough import LEAST_DAYS, say_enough
from tasks.training.unseen import unseen_rows

AS_IT_SERVES = "as it serves"
CANDIDATE = "its candidate, fitted without these rows"


class Fair(NamedTuple):
    """Row numbers of a snapshot, with their target and days, all of shape (rows,); `kept` has a candidate's outputs.

    `told` says what rows these are, and what was left out.
    """

    snapshot: Snapshot
    rows: np.ndarray
    target: np.ndarray
    days: np.ndarray
    kept: dict[str, np.ndarray]
    told: str


class NotThere(Exception):
    """A snapshot whose rows cannot be taken; the message says why."""


def common_contract(sides: Sequence[Side]) -> Contract:
    """In whose terms all answers are compared: the newest version's, with the classes of all.

    Raises:
        NotThere: they answer different questions.
    """
    newest = newest_first(sides)[0]
    contracts = [side.contract for side in sides if side is not newest] + [newest.contract]
    questions = {(each.problem, each.target) for each in contracts}
    found = newest.problem.common(contracts) if len(questions) == 1 else None
    if found is None:
        asked = "; ".join(f"version {side.number} answers {_question(side.contract)}" for side in sides)
        raise NotThere(f"they answer different questions: {asked}")
    return found


def fair_rows(sides: Sequence[Side], others: Sequence[str], common: Contract) -> Fair:
    """The first that are enough; `others` are the digests of snapshots of the use case, the newest first.

    Raises:
        NotThere: there are none, and why.
    """
    case, problem = newest_first(sides)[0].case, problem_of(common)
    found, why = [], []
    for looked in _looked(sides, others, case, common):
        if isinstance(looked, str):
            why.append(looked)
            continue
        if say_enough(problem, case.monitoring.min_labels, case.source.time_column is not None, looked.days, looked.target):
            return looked
        found.append(looked)
    most = max(found, key=lambda fair: len(fair.rows), default=None)
    raise NotThere("; ".join([_too_few(case, problem, most), *dict.fromkeys(why)]))


def _looked(sides: Sequence[Side], others: Sequence[str], case: UseCase, common: Contract) -> Iterator[Fair | str]:
    """What each snapshot has, in order of preference, or why it cannot be taken."""
    own = [side.bundle.manifest.lineage["snapshot"] for side in newest_first(sides)]
    for look, digests in ((_unseen_by_all, [*others, *own]), (_held_out, own)):
        for digest in dict.fromkeys(digests):
            snapshot = _snapshot(digest)
            try:
                yield look(sides, _usable(snapshot, sides, case), case, common)
            except NotThere as reason:
                yield str(reason)


def _unseen_by_all(sides: Sequence[Side], snapshot: Snapshot, case: UseCase, common: Contract) -> Fair:
    whole = Split(snapshot=snapshot, learn=0, cut=0, final=snapshot.rows, boundary="")
    rows = np.flatnonzero(np.logical_and.reduce([unseen_rows(case, side.bundle, whole).rows for side in sides]))
    told = f"of snapshot {snapshot.digest[:12]} that none of the versions learned from"
    return _fair(snapshot, rows, {}, case, common, told)


def _held_out(sides: Sequence[Side], snapshot: Snapshot, case: UseCase, common: Contract) -> Fair:
    """The holdout of this snapshot, with the answers that candidates of it gave then."""
    import pandas as pd

    kept = {}
    for side in sides:
        if side.bundle.manifest.lineage["snapshot"] == snapshot.digest:
            try:
                scores = pd.read_parquet(holdout_of(side.version.bundle))
            except (InputError, CheckFailed) as error:
                raise NotThere(f"version {side.number}: {error}") from None
            judged = side.problem.read(scores[side.problem.column])
            kept[side.number] = side.problem.aligned(side.problem.unjudged(judged), side.contract, common)
    cut = snapshot.rows - min(len(outputs) for outputs in kept.values())
    kept = {number: outputs[cut - snapshot.rows :] for number, outputs in kept.items()}
    held = Split(snapshot=snapshot, learn=cut, cut=cut, final=cut, boundary="")
    unseen = np.ones(snapshot.rows - cut, dtype=bool)
    for side in sides:
        if side.number not in kept:
            unseen &= unseen_rows(case, side.bundle, held).rows
    inside = np.flatnonzero(unseen)
    named = " and ".join(kept)
    told = (
        f"of snapshot {snapshot.digest[:12]}, held out of version {named}, whose candidate answers, since what serves was "
        "refitted with them" + "; the others have not learned from them" * (len(kept) < len(sides))
    )
    return _fair(snapshot, inside + cut, {number: outputs[inside] for number, outputs in kept.items()}, case, common, told)


def _fair(
    snapshot: Snapshot, rows: np.ndarray, kept: dict[str, np.ndarray], case: UseCase, common: Contract, told: str
) -> Fair:
    """The rows whose label is one that some version can answer, with target and days."""
    time, column = case.source.time_column, case.target.column
    names = [name for name in (column, case.target.query, time) if name]
    frame = read_rows(snapshot, 0, snapshot.rows, names).iloc[rows]
    if common.classes:
        known = frame[column].isin(common.classes).to_numpy()
        told += f"; {(~known).sum():,} rows of a class that none of them knows are left out" if not known.all() else ""
        frame, rows, kept = frame[known], rows[known], {number: outputs[known] for number, outputs in kept.items()}
    target = problem_of(common).targets(common, frame)
    days = day_blocks(frame[time].to_numpy() if time else None, len(frame))
    return Fair(snapshot, rows, target, days, kept, told)


def answers(side: Side, fair: Fair, common: Contract) -> np.ndarray:
    """What a version answers to the rows, shape (rows, k), in the terms of the common contract.

    Raises:
        NotThere: it refuses one of them.
    """
    if side.number in fair.kept:
        return fair.kept[side.number]
    start, stop = int(fair.rows.min()), int(fair.rows.max()) + 1
    frame = read_rows(fair.snapshot, start, stop, list(side.contract.names)).iloc[fair.rows - start].reset_index(drop=True)
    try:
        inputs = model_input(encode(side.contract, frame))
    except ContractError as error:
        raise NotThere(f"version {side.number} refuses rows of snapshot {fair.snapshot.digest[:12]}: {error}") from None
    return side.problem.aligned(Scorer(side.bundle.model, side.contract).outputs(inputs), side.contract, common)


def _snapshot(digest: str) -> Snapshot:
    path = Snapshot(digest=digest, rows=0).path
    return Snapshot(digest=digest, rows=pq.read_metadata(path).num_rows if path.exists() else 0)


def _usable(snapshot: Snapshot, sides: Sequence[Side], case: UseCase) -> Snapshot:
    """The snapshot, if it is there and has every column that is asked for."""
    if not snapshot.path.exists():
        raise NotThere(f"snapshot {snapshot.digest[:12]} is not in this home any more")
    there = set(pq.read_schema(snapshot.path).names)
    asked = {case.target.column, *filter(None, [case.source.time_column])}
    wanted = {column: side.number for side in sides for column in side.contract.names} | dict.fromkeys(asked, "")
    if missing := sorted(set(wanted) - there):
        by = f", which version {wanted[missing[0]]} takes" if wanted[missing[0]] else ""
        raise NotThere(f"snapshot {snapshot.digest[:12]} has no column {missing[0]!r}{by}")
    return snapshot


def _too_few(case: UseCase, problem: Problem, most: Fair | None) -> str:
    timed = case.source.time_column is not None
    wanted = f"{case.monitoring.min_labels}{problem.rows_needed}" + f" on {LEAST_DAYS} days" * timed
    rows, days = (len(most.rows), len(np.unique(most.days))) if most else (0, 0)
    return f"no snapshot has more than {rows:,} such rows" + f" on {days} days" * timed + f"; {wanted} are needed"


def _question(contract: Contract) -> str:
    classes = f" ({', '.join(map(str, contract.classes[:8]))})" if contract.classes else ""
    return f"{contract.target!r} as {contract.problem}{classes}"
