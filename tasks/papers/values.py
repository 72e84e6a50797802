"""Values of papers: what the record has of a version, as tables that say where each figure stands."""

from __future__ import annotations

from tasks.store import Value


class Table(Value):
    """Rows under their heads. `source` is where they stand, below `SLIPWAY_HOME`; `nothing` is why there are none."""

    heads: list[str]
    rows: list[list[str]]
    source: str
    nothing: str = ""


class Section(Value):
    """A part of the card that the bundle has, by its title: sentences, and tables."""

    title: str
    lines: list[str]
    tables: list[Table]


class Duty(Value):
    """From which day on something applies, after which rule, and whether that day was moved."""

    day: str
    what: str
    source: str
    moved: str = ""


class Record(Value):
    """What is known of a version. `until` is the time of the last thing that happened: what is written holds up to then.

    `made` is what it was made from and by which run, `software` what that ran with; `data` are its rows, `columns` what goes
    in and comes out. `measured` are the parts of the card in its bundle, from before it served. Then what was decided about
    it: `gates`, `verdicts`, `rollouts`; what happened: `changes` of the version that serves, `incidents`; what was seen
    since: `windows`, `reviews`. `rules` are those of the use case, as the version was made with; `audit` is what proves the
    record. `personal` is what a scan of its rows finds, `kept` how many of them and of the log share what others could know.
    """

    use_case: str
    version: str
    description: str
    target: str
    answers: str
    split: str
    estimator: str
    until: str
    made: Table
    software: Table
    data: Table
    columns: Table
    measured: list[Section]
    gates: Table
    verdicts: Table
    rollouts: Table
    changes: Table
    incidents: Table
    windows: Table
    reviews: Table
    rules: Table
    audit: Table
    personal: Table
    kept: Table
    duties: list[Duty]
