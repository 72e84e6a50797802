"""Why an answer goes to people: the conditions of `review.when`, as SQL on the prediction log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb

from configs.errors import InputError
from configs.review import Answer, Uncertain
from configs.schema import UseCase
from serving.contract.spelling import spelled
from serving.traffic.plan import HALT
from tasks.log.read import BUCKETS, COLUMNS
from tasks.log.values import pointer

KINDS = {"numeric": "double", "boolean": "boolean"}  # other kinds are texts, as they came
OWN = ("prediction", "output", "caller", "model_version", "variant", "time", "event_time")
PLACE = '"place in the log"'
ABSTAINED = "left to a person"


class Rule(NamedTuple):
    """`why` in words, and the condition; `plain` ones are on columns that are named by the use case's author."""

    why: str
    condition: str
    plain: bool = False


def rules_of(use_case: UseCase) -> Iterator[Rule]:
    """Every reason for which an answer of the use case goes to people."""
    if use_case.review is None:
        return
    when = use_case.review.when
    yield Rule(ABSTAINED, f"prediction is null and variant is distinct from '{HALT}'")
    if when.uncertain is not None:
        yield Rule(*_uncertain(when.uncertain))
    for name, condition in when.rules.items():
        yield Rule(f"rule {name}", condition, plain=True)
    for name, values in when.groups.items():
        yield from (_group(use_case, name, value) for value in values)
    if when.sample is not None:
        yield Rule("sample", f"bucket < {int(when.sample * BUCKETS)}::hugeint")


def match(use_case: UseCase, log: Any, asked: str) -> dict[int, tuple[str, ...]]:
    """Which rows of a table of predictions go to people, by their number in it (column `nth`), and why.

    `asked` is the table's name, with the log's own columns and `bucket`.

    Raises:
        InputError: a rule is no condition on these columns.
    """
    log.execute(f'create or replace temp view "as asked" as select nth as {PLACE}, {_named(use_case)} from {asked}')
    found: dict[int, tuple[str, ...]] = {}
    for rule in rules_of(use_case):
        places = f'select {PLACE} from "as asked"' if rule.plain else f"select nth from {asked}"
        for (nth,) in _those(log, f"{places} where (\n{rule.condition}\n)", rule):
            found[nth] = (*found.get(nth, ()), rule.why)
    return found


def check_rules(use_case: UseCase) -> None:
    """Try the rules on a log that holds nothing.

    Raises:
        InputError: one is no condition on the columns that there are.
    """
    columns = ", ".join(f"null::{kind} as {name}" for name, kind in {**COLUMNS, "bucket": "UINTEGER"}.items())
    with duckdb.connect() as connection:
        connection.execute(f"create temp table nothing as select *, 0 as nth from (select {columns}) where false")
        match(use_case, connection, "nothing")


def _those(log: Any, query: str, rule: Rule) -> list[Any]:
    try:
        return list(log.sql(query).fetchall())
    except duckdb.Error as error:
        if not rule.plain:
            raise
        columns = ", ".join(name for (name, *_) in log.sql('describe "as asked"').fetchall() if f'"{name}"' != PLACE)
        raise InputError(
            f"'review.when.rules': {rule.why.removeprefix('rule ')!r}: {str(error).splitlines()[0]}; it must be a SQL "
            f"condition on {columns}"
        ) from None


def _named(use_case: UseCase) -> str:
    """The columns that a rule may name: features and identifiers that the log keeps, and of the record's own those that none
    of them is called like."""
    named = {name: KINDS.get(use_case.features.kinds[name], "varchar") for name in use_case.watched}
    named |= dict.fromkeys(use_case.features.identifiers, "varchar")
    own = [name for name in OWN if name not in named]
    if "probability" not in named:
        own.append("case when len(output) = 2 then output[2] end as probability")
    return ", ".join([*(f"{field(name, kind)} as {quoted(name)}" for name, kind in named.items()), *own])


def field(name: str, kind: str) -> str:
    """A feature or an identifier of the record, as SQL."""
    return f"try_cast(json_extract_string(features, {_text(pointer(name))}) as {kind})"


def _uncertain(uncertain: Uncertain) -> tuple[str, str]:
    if uncertain.margin is not None:
        told = f"uncertain: within {uncertain.margin:g} of 0.5"
        return told, f"len(output) = 2 and abs(output[2] - 0.5) <= {uncertain.margin!r}"
    return f"uncertain: below {uncertain.confidence:g}", f"list_max(output) < {uncertain.confidence!r}"


def _group(use_case: UseCase, name: str, value: Answer) -> Rule:
    """Numbers are compared as numbers: 1.0 is 1, however a client wrote it."""
    kind = KINDS.get(use_case.features.kinds.get(name, ""), "varchar")
    text = value if isinstance(value, str) else spelled(value)
    return Rule(f"group {name} = {text}", f"{field(name, kind)} = try_cast({_text(text)} as {kind})")


def quoted(name: str) -> str:
    """A column's name, as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
