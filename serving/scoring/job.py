"""A job: the rows of one request on their way through the server, and then their answers."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from serving.contract.heads.head import Answers, Outputs
from serving.contract.records import Inputs


class Exposure(NamedTuple):
    """What the traffic plan had a job's rows meet: the plan's id, the arm, and why the champion answers in its place."""

    plan: str = ""
    assigned: str = ""
    fallback: str = ""


class Elsewhere(NamedTuple):
    """What another release said of a job's rows, in place of the model here."""

    variant: str
    version: str
    release: str
    answers: Answers
    outputs: Outputs


UNPLANNED = Exposure()


class Job:
    """What a protocol reads out of a request. `answers` and `outputs` (k numbers a row) are there once it is scored."""

    __slots__ = (
        "answers",
        "budget",
        "caller",
        "digest",
        "elsewhere",
        "error",
        "event_time",
        "explain",
        "exposure",
        "gone",
        "ids",
        "inputs",
        "logged",
        "outputs",
        "places",
        "reasons",
        "received",
        "rows",
        "start",
        "theirs",
        "top",
    )

    def __init__(
        self,
        rows: list[Any],
        event_time: str | None = None,
        ids: list[str] | None = None,
        inputs: Inputs | None = None,
    ) -> None:
        self.rows, self.event_time, self.ids, self.inputs = rows, event_time, ids, inputs
        self.caller = self.digest = ""
        self.start = 0  # of a slice: where it begins in its request
        self.places: tuple[int, ...] | None = None  # of rows picked out of a request: where each stands in it
        self.logged = True  # False: another server asks, and logs what it answers
        self.exposure = UNPLANNED
        self.elsewhere: Elsewhere | None = None
        self.received = time.perf_counter()
        self.budget: float | None = None  # seconds from `received` that the client gives
        self.gone = False  # the client went away: nobody waits for the answer
        self.error: Exception | None = None
        self.top: int | None = None  # how much of each output the client wants to see, where that is a question
        self.explain = False  # whether the client wants reasons
        self.reasons: list[dict[str, Any] | None] = []  # one a row, once they are found; None where there are none to give
        self.theirs: Collection[int] = ()  # of rows that other servers answered: where each stands in it
        self.answers: Answers = []
        self.outputs: Outputs = []

    @property
    def at(self) -> Sequence[int]:
        """Where each of its rows stands in its request."""
        return self.places or range(self.start, self.start + len(self.rows))

    def parts(self, size: int) -> Iterator[Job]:
        """The job in slices of that many rows."""
        for start in range(0, len(self.rows), size):
            cut = slice(start, start + size)
            inputs = self.inputs.rows(cut) if self.inputs else None
            part = Job(self.rows[cut], self.event_time, self.ids[cut] if self.ids else None, inputs)
            part.start = self.start + start
            part.places = self.places[cut] if self.places else None
            self._hand_on(part)
            yield part

    def pick(self, places: Sequence[int]) -> Job:
        """Some of the rows, whose ids are known."""
        assert self.ids is not None
        at = self.at
        inputs = self.inputs.rows(places) if self.inputs else None
        part = Job([self.rows[each] for each in places], self.event_time, [self.ids[each] for each in places], inputs)
        part.places = tuple(at[place] for place in places)
        self._hand_on(part)
        return part

    def _hand_on(self, part: Job) -> None:
        part.caller, part.digest, part.received, part.budget = self.caller, self.digest, self.received, self.budget
        part.logged, part.exposure = self.logged, self.exposure

    def extend(self, part: Job) -> None:
        """Take over a slice's answers; ids that the client gave are known already."""
        self.error = part.error
        if part.error is None:
            if part.outputs and len(self.answers) == 0 and self.ids is None:
                self.ids = []
            if self.ids is not None and len(self.ids) < len(self.answers) + len(part.answers):
                self.ids += part.ids or []
            self.outputs += part.outputs
            self.answers += part.answers
