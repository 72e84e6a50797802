"""`slipway feedback`: what turned out to be true, from a table, to the use case's server, as its clients would send it.

A prediction may be told about more than once and the last word counts, so a command that was stopped is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx

from configs.errors import CheckFailed, InputError
from configs.schema import UseCase
from serving.contract.contract import read_contract
from tasks.deploying.keys import internal_headers
from tasks.log.outcomes import LABEL, Columns, Outcomes, read_outcomes
from tasks.log.standing import Standing, standing
from tasks.routing import gateway, served

BATCH = 500
CALLER = "feedback"
AGAIN = "Sending all of them again is safe: of what is told twice, the last counts"
Progress = Callable[[str, int, int | None], None]  # what is done, and how much of how many


class Sent(NamedTuple):
    """What was sent, and how it stood to the log of this home; where that cannot be read, why."""

    outcomes: Outcomes
    standing: Standing | CheckFailed


def send_feedback(use_case: UseCase, location: str, query: str | None, columns: Columns, progress: Progress) -> Sent:
    """Send what a table says. All of its rows are checked before the first is sent.

    Raises:
        InputError: nothing serves, the table cannot be read, or rows say what they may not; nothing was sent.
        CheckFailed: the server stopped answering; what it took before that stays.
    """
    running = served.serving(use_case.name)
    if running is None:
        raise InputError(f"use case {use_case.name!r} has no release that could be told; run 'slipway release' first")
    progress("Reading", 0, None)
    contract = read_contract(running.version.bundle.path / "contract.json")
    outcomes = read_outcomes(use_case, contract, location, query, columns)
    progress("Looking into the log", 0, None)
    stands: Standing | CheckFailed
    try:
        stands = standing(use_case.name, outcomes.told)
    except CheckFailed as error:  # who may tell what is true need not be able to read the log
        stands = error
    headers = internal_headers(use_case.name, CALLER)
    with httpx.Client(base_url=gateway.address(use_case.name), headers=headers, timeout=60) as http:
        send(http, outcomes.told, lambda done: progress("Telling", done, len(outcomes.told)))
    return Sent(outcomes, stands)


def send(http: httpx.Client, told: list[dict[str, Any]], progress: Callable[[int], None]) -> None:
    """Send outcomes, some at a time.

    Raises:
        CheckFailed: a request got no answer, or another than that it was taken; says how many were taken before.
    """
    for start in range(0, len(told), BATCH):
        batch = told[start : start + BATCH]
        try:
            answer = http.post("feedback", json={"labels": batch})
        except httpx.TransportError as error:
            why = f"no answer from {http.base_url} ({type(error).__name__}: {error})"
            raise CheckFailed(f"{start:,} of {len(told):,} predictions told, then {why}. {AGAIN}") from None
        if answer.status_code != 200:
            why = f"the server answered {answer.status_code}: {answer.text[:500].strip()}"
            raise CheckFailed(f"{start:,} of {len(told):,} predictions told, then {why}. {AGAIN}")
        progress(start + len(batch))


def summary(sent: Sent) -> Iterator[str]:
    """What was told, a line each."""
    told, stands = sent.outcomes.told, sent.standing
    labels, numbers = sum(LABEL in each for each in told), sum(len(each.get("kpis", ())) for each in told)
    yield f"Told of {_of(len(told), 'prediction')}: {_of(labels, 'label')}, {_of(numbers, 'number')}"
    if sent.outcomes.empty:
        yield f"{_of(sent.outcomes.empty, 'row')} said nothing"
    if sent.outcomes.again:
        yield f"{_of(sent.outcomes.again, 'row')} told again of a prediction, and the last word of each counts"
    if isinstance(stands, CheckFailed):
        yield f"Which of them are known is not: {stands}"
        return
    if unknown := len(told) - stands.known:
        yield (
            f"Known in this home's log: {stands.known:,}; not there: {unknown:,}, for example {stands.stranger!r}. What is "
            "told of those counts where their predictions are logged, and nowhere if the ids are wrong"
        )
    if stands.changed or stands.same:
        yield f"Of labels from before, {stands.changed:,} changed and {stands.same:,} stayed as they were"


def _of(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
