"""Values of the prediction log: a window of it, and what was refused in that time."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import UNSET

from configs.settings import store
from serving.contract.contract import Contract
from tasks.store import Value


class Bounds(Value):
    """A window before its rows are read: by event time [start, end), or by position [start, end) in the log."""

    name: str
    start: str
    end: str


class Refusal(Value):
    """How many requests of a window got no answer: the HTTP status (422: the contract refused them), the feature."""

    status: int
    feature: str
    requests: int


Look = Literal["first", "labels"]


# How columns begin that hold a number of feedback, a feature, an identifier.
KPI, FEATURE, IDENTIFIER = "kpi.", "feature.", "identifier."


def pointer(name: str) -> str:
    """Where a feature stands in a record's, as a JSON pointer (RFC 6901): it may have any name.

    >>> pointer("a/b"), pointer('say "hi"')
    ('/a~1b', '/say "hi"')
    """
    return f"/{name.replace('~', '~0').replace('/', '~1')}"


def query_of(contract: Contract) -> str:
    """The query of a logged record, whose `features` are in scope, as SQL; null where answers are no ranking."""
    if contract.query is UNSET:
        return "null"
    place = pointer(contract.query).replace("'", "''")
    return f"json_extract_string(features, '{place}')"


class Window(Value):
    """A closed slice of the prediction log; `data` is a Parquet of its rows joined with the latest feedback.

    It is looked at first when it closed, and again when its labels have come. `rows` is how many it had, in so many
    `requests` (None: each row was one), `labelled` how many labels; of a long one `data` holds a sample, and these are about
    so many. `strays` are rows whose event time could not be, `refused` requests that were not answered, the most frequent
    reason first. Each of `parts` holds the rows that one `version` answered, with the features that it takes by its
    `contract`, or says why they are not judged.
    """

    use_case: str
    name: str
    start: str
    end: str
    rows: int
    labelled: int
    data: str
    requests: int | None = None
    strays: int = 0
    refused: list[Refusal] = []
    look: Look = "first"
    version: str = ""
    contract: str = ""
    not_judged: str = ""
    parts: list[Window] = []

    @property
    def path(self) -> Path:
        """Where its rows lie."""
        return store("windows") / f"{self.data}.parquet"

    @property
    def page(self) -> str:
        """What the pages about it are called."""
        return f"{self.name}{f'-v{self.version}' if self.version else ''}{'-labels' if self.look == 'labels' else ''}"

    @property
    def judged(self) -> list[Window]:
        """The parts that are judged, each against its own version."""
        return [part for part in self.parts if not part.not_judged]
