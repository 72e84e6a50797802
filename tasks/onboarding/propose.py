"""From a table that nobody has described to a use case: looked at, decided and explained, nothing written yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from configs.errors import InputError, nearest
from configs.forms import parse_duration
from configs.kinds import ColumnKind
from configs.schema import Features, Model, Source, Target
from tasks.data.sql import quoted, text_literal
from tasks.onboarding.answers import Answer, choose_answer, declared_answer
from tasks.onboarding.baseline import gate_of
from tasks.onboarding.features.choose import feature_of, may_be_feature
from tasks.onboarding.first import first_model
from tasks.onboarding.kinds import describe
from tasks.onboarding.leaks import thinned, without_leaks
from tasks.onboarding.table import NUMERIC, TEXT, Table, is_csv, look_at
from tasks.onboarding.times import (
    HOLDOUT,
    choose_time,
    declared_time,
    holdout_of,
    left_later,
    moments,
    sql_of,
    window_in_rows,
    window_of,
)
from tasks.onboarding.values import Column, Gate, Times

RARE = 0.05
FEWEST_OF_A_CLASS = 5  # of fewer the holdout may take all (a fifth of the rows: once in 600 at four), and none is judged
FEW_OF_A_CLASS = 30  # held out; fewer judge nobody
LABELS = 200  # needed for a verdict, as a rule


@dataclass(frozen=True)
class Declared:
    """What a person has said already of what would be looked for; nothing, as a rule."""

    source: Source | None = None
    target: Target | None = None
    features: Features | None = None
    holdout: timedelta | float | None = None

    @property
    def timed(self) -> bool:
        """Whether it is said which column is the time, or that none is."""
        return self.source is not None and "time_column" in self.source.model_fields_set

    @property
    def time_column(self) -> str | None:
        """That column."""
        return self.source.time_column if self.source else None


UNDECLARED = Declared()


@dataclass(frozen=True)
class Proposal:
    """All that a use case needs, and the reasons."""

    name: str
    url: str
    table: Table
    target: str
    answer: Answer
    columns: list[Column]
    model: Model
    times: Times | None
    holdout: str
    window: str
    held_out: int
    gate: Gate
    notes: list[str] = field(default_factory=list)
    rare: list[Any] = field(default_factory=list)  # answers of too few rows

    @property
    def query(self) -> str:
        """What makes a row where the table as it is cannot be learned from; nothing where it can."""
        texts = [] if is_csv(self.url) else [each for each in self.columns if self.table.is_(each.name, TEXT)]
        read = {each.name: feature_of(each).read_as for each in texts if may_be_feature(each)}
        casts = {name: f"try_cast({quoted(name)} as {kind}) as {quoted(name)}" for name, kind in read.items() if kind}
        conditions = [f"{quoted(self.target)} not in ({', '.join(map(literal, self.rare))})"] if self.rare else []
        if self.times:
            casts.pop(self.times.column, None)  # what orders the rows is read as a time anyway
        if self.times and (self.times.format or self.times.unreadable):
            moment = sql_of(self.times.column, self.times.format)
            casts[self.times.column] = f"{moment} as {quoted(self.times.column)}"
            conditions += [f"{moment} is not null"] if self.times.unreadable else []
        if not casts and not conditions:
            return ""
        parts = ",\n                  ".join(casts.values())
        where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
        return f"select *{f' replace ({parts})' if parts else ''}\nfrom {quoted(self.table.name)}{where}"

    @property
    def missing(self) -> list[str]:
        """The texts that stand for nothing among the numbers of a CSV."""
        return sorted({token for column in self.columns for token in column.tokens} | set(self.table.source.missing))

    @property
    def min_labels(self) -> int:
        """Labels that a verdict needs; no more than a window without a time has rows."""
        return min(LABELS, int(self.window.split()[0])) if self.window.endswith("rows") else LABELS


def propose(url: str, target: str, name: str, say: Callable[[str], None], declared: Declared = UNDECLARED) -> Proposal:
    """Look at the table of a file or URL, and say what use case would learn its column `target`, where some is `declared`.

    Raises:
        InputError: the table cannot be read or is too small, there is no such column, it cannot be a target, or no column
            is left to tell it from.
    """
    table = look_at(url, say, declared.source)
    answer, rare = _answer_of(table, target, declared.target)
    columns = describe(table, [column for column in table.rows.columns if column != target], say)
    columns = [_as_declared(column, declared.features.kinds) for column in columns] if declared.features else columns
    times = declared_time(table, declared.time_column) if declared.timed else choose_time(table, columns)
    columns = columns if declared.features else left_later(table, columns, times)
    sample = thinned(_sample_of(table, target, times, [name for name, _ in rare]), columns)
    columns = without_leaks(columns, sample, sample[target], answer, say)
    columns = _without_the_time(columns, times)
    _require_features(url, target, columns)
    holdout, window, held_out = _parts(table, target, times, declared.holdout)
    first = first_model(columns, sample, sample[target], answer, times is not None, say)
    gate = gate_of(first.folds, answer.matrix(sample[target]), answer, times is not None, held_out)
    notes = _notes(table, target, answer, times, held_out) + _weakness(gate, columns)
    notes += [_left_out(target, rare)] if rare else []
    names = [name for name, _ in rare]
    decided = (answer, first.columns, first.model, times, holdout, window, held_out, gate, notes, names)
    return Proposal(name, url, table, target, *decided)


def literal(value: Any) -> str:
    """A class as SQL.

    >>> literal("it's"), literal(3)
    ("'it''s'", '3')
    """
    return text_literal(value) if isinstance(value, str) else str(value)


def _answer_of(table: Table, target: str, declared: Target | None) -> tuple[Answer, list[tuple[Any, int]]]:
    """The kind of answer, and the classes, with their rows, that are too rare to be one."""
    if target not in table.rows.columns:
        raise InputError(f"target: the table has no column {target!r}; {nearest(target, table.rows.columns)}")
    if not (table.is_(target, NUMERIC) or table.is_(target, TEXT) or table.types[target] == "BOOLEAN"):
        raise InputError(
            f"target: {target!r} holds {table.types[target].lower()}, which is no answer; name a column of numbers, "
            "texts or booleans"
        )
    cast = "cast({} as double) as answer" if table.types[target].startswith("DECIMAL") else "{} as answer"
    values = table.rows.project(cast.format(quoted(target))).to_arrow_table().column(0).to_pandas()

    def choose(values: Any) -> Answer:
        return declared_answer(declared, values.dropna()) if declared else choose_answer(target, values)

    answer = choose(values)
    counts = values.value_counts()
    rare = [(name, int(counts[name])) for name in answer.classes if counts[name] < FEWEST_OF_A_CLASS]
    if not rare or len(answer.classes) == 2 or len(answer.classes) - len(rare) < 2:
        return answer, []
    return choose(values[~values.isin([name for name, _ in rare])]), rare


def _left_out(target: str, rare: list[tuple[Any, int]]) -> str:
    told = ", ".join(f"{name!r} ({rows})" for name, rows in rare)
    return (
        f"the query leaves out the answers of {target!r} that fewer than {FEWEST_OF_A_CLASS} rows have: {told}; nobody can "
        "learn them and be judged by them"
    )


def _sample_of(table: Table, target: str, times: Times | None, rare: list[Any]) -> Any:
    """Rows of the sample that have an answer, in time order where they have a time."""
    import duckdb

    answered = table.sample[target].notna() & ~table.sample[target].isin(rare)
    sample = table.sample[answered].reset_index(drop=True)
    if not times:
        return sample
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    at = connection.from_df(sample).project(f"{sql_of(times.column, times.format)} as moment").fetchnumpy()["moment"]
    moment = np.ma.filled(at.astype("datetime64[us]"), np.datetime64("NaT"))
    return sample.iloc[np.argsort(moment, kind="stable")].reset_index(drop=True)


def _as_declared(column: Column, kinds: Mapping[str, ColumnKind]) -> Column:
    """What is declared beats what was seen: the columns that are listed go in, as what they are listed, and no others."""
    if kind := kinds.get(column.name):
        return column.model_copy(update={"kind": kind, "why": "declared", "why_out": ""})
    return column.model_copy(update={"why_out": column.why_out or "other columns are declared"})


def _without_the_time(columns: list[Column], times: Times | None) -> list[Column]:
    """The columns; the one that orders the rows is left out, unless it is all that there is to tell from."""
    others = [column for column in columns if times is None or column.name != times.column]
    if any(column.is_feature for column in others):
        left = {"why_out": "says when a row happens: the order that is learned and judged in"}
    else:
        left = {"note": "orders the rows too, and is all that there is to tell from"}
    return [column if column in others else column.model_copy(update=left) for column in columns]


def _require_features(url: str, target: str, columns: list[Column]) -> None:
    if not any(column.is_feature for column in columns):
        why = "; ".join(f"{column.name!r}: {column.why_out}" for column in columns[:5])
        raise InputError(f"{url}: no column is left to tell {target!r} from ({why})")


def _parts(table: Table, target: str, times: Times | None, declared: timedelta | float | None) -> tuple[str, str, int]:
    """The holdout, the window, and how many rows are held out."""
    labelled = int(table.number(f"count({quoted(target)})"))
    if times is None:
        share = declared if isinstance(declared, float) else HOLDOUT
        held_out = round(labelled * share)
        return str(share), f"{window_in_rows(held_out)} rows", held_out
    at = moments(table, times)
    holdout = _told(declared) if declared else holdout_of(at)
    length = parse_duration(holdout) if " " in holdout else None
    share = float((at >= at[-1] - np.timedelta64(length)).mean()) if isinstance(length, timedelta) else float(holdout)
    if not declared and not 0.05 <= share <= 0.5:  # rows come in bursts: a share says more than a length
        holdout, share = str(HOLDOUT), HOLDOUT
    return holdout, window_of(at), round(labelled * share)


def _told(holdout: timedelta | float) -> str:
    """As a use case has it."""
    return f"{holdout.total_seconds():.0f} seconds" if isinstance(holdout, timedelta) else str(holdout)


def _weakness(gate: Gate, columns: list[Column]) -> list[str]:
    if not gate.weak:
        return []
    private = [repr(column.name) for column in columns if column.sensitive]
    told = f"; left out as sensitive: {', '.join(private)}" if private else ""
    nothing = "" if gate.learned else "; nothing was found to learn, and what is no better than a guess is not released"
    return [f"what goes in hardly tells more than a guess, so a release may stop at its gate{told}{nothing}"]


def _notes(table: Table, target: str, answer: Answer, times: Times | None, held_out: int) -> list[str]:
    """What a person should know of the table as a whole."""
    notes = []
    if empty := table.size - table.counted[target].filled:
        notes.append(f"{empty:,} of {table.size:,} rows have no {target!r}: nothing is learned from them")
    if times and times.unreadable:
        notes.append(f"{times.unreadable:,} rows have no {times.column!r} that can be read: the query leaves them out")
    if times and times.future:
        notes.append(f"{times.future:,} rows lie in the future: they are left out until then")
    values = table.sample[target].dropna()
    values = values[values.isin(answer.classes)] if answer.classes else values
    least, which = answer.rarest(values)
    if least < RARE * len(values):
        notes.append(f"rows {which} are rare ({least / len(values):.1%}): accuracy says little of them")
    if (few := held_out * least / len(values)) < FEW_OF_A_CLASS:
        notes.append(f"about {few:.0f} held out rows {which}: few to judge by")
    return notes
