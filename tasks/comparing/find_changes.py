"""Find changes: on which of the fair rows two versions answer differently, from what to what, and which are most apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from prefect import task

from configs.schema import UseCase
from serving.log.writer import Sensitive, sensitive_of
from tasks.comparing.asked_rows import Asked, asked_rows, columns_of
from tasks.comparing.side import Side, sides_of
from tasks.comparing.values import Answer, Basis, Changed, Differing
from tasks.data.frames import client_values
from tasks.log.keys import pepper
from tasks.problems.problem import problem_of
from tasks.registry.values import Version

MOST = 10


@task
def find_changes(use_case: UseCase, compared: Sequence[Version], basis: Basis) -> list[Changed]:
    """Of each pair of versions; nothing where no rows are fair to all.

    Each version decides by its own rules (`target.confidence`). Columns that one of them marks as sensitive are shown as the
    prediction log keeps them now: hashed with its key, left out, or as they are.
    """
    if not basis.answers:
        return []
    sides = sides_of(compared)
    asked = asked_rows(sides, basis)
    guards = [sensitive_of(side.contract, use_case.log.sensitive, _key(use_case, sides)) for side in sides]
    return [_changed(one, other, asked, basis, guards) for one, other in combinations(sides, 2)]


def _key(use_case: UseCase, sides: Sequence[Side]) -> bytes | None:
    """That of the log's hashes, where one is needed."""
    needed = any(column.sensitive for side in sides for column in side.contract.columns)
    return pepper(use_case.name).encode() if needed and use_case.log.sensitive == "hash" else None


def _changed(one: Side, other: Side, asked: Asked, basis: Basis, guards: Sequence[Sensitive]) -> Changed:
    problem, pair = problem_of(asked.common), (one, other)
    said = [side.problem.said(asked.common, asked.outputs[side.number]) for side in pair]
    changes = problem.changes(asked.common, *said)
    apart = problem.difference(*_known(asked.outputs[other.number], asked.outputs[one.number]))
    order = np.lexsort((asked.numbers, -apart))[:MOST]
    most = [int(place) for place in order if apart[place] > 0]
    names = list(dict.fromkeys(name for side in pair for name in side.contract.names))
    time, label = asked.common.time_column, asked.common.target
    rows = columns_of(basis, asked.numbers[most or [0]], [*names, label, *([time] if time else [])])
    values = {name: client_values(rows[name]) for name in names}
    labels, times = client_values(rows[label]), client_values(rows[time]) if time else [""] * len(most)
    scores = [problem.score(asked.judged[side.number]) for side in pair]
    return Changed(
        before=one.number,
        after=other.number,
        rows=len(asked.target),
        differ=int(changes.differ.sum()),
        picture=changes.picture,
        most=[
            Differing(
                row=int(asked.numbers[place]),
                time=str(times[at]),
                label=_scalar(labels[at]),
                before=Answer(said=said[0][place], score=float(scores[0][place])),
                after=Answer(said=said[1][place], score=float(scores[1][place])),
                apart=float(apart[place]),
                values=_guarded({name: _scalar(column[at]) for name, column in values.items()}, guards),
            )
            for at, place in enumerate(most)
        ],
    )


def _known(*outputs: np.ndarray) -> list[np.ndarray]:
    """Without what only one of them has: the ends of an interval, which are not known of the other."""
    known = ~np.logical_or.reduce([np.isnan(each) for each in outputs])
    return [np.where(known, each, 0) for each in outputs]


def _guarded(values: dict[str, Any], guards: Sequence[Sensitive]) -> dict[str, Any]:
    """As the log has them; what two versions both mark is hashed once."""
    for name in list(values):
        alone = [guard.guard({name: values[name]}) for guard in guards]
        hidden = [each for each in alone if each != {name: values[name]}]
        values = {**values, name: hidden[0].get(name, "(left out)")} if hidden else values
    return values


def _scalar(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
