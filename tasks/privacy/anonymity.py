"""k-anonymity: how many rows share what somebody else could know of a person. Of a table, and of the prediction log.

Sweeney, "k-anonymity: a model for protecting privacy" (2002). Counted are rows: a person with several is counted as often.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from configs.errors import InputError, nearest
from configs.schema import ColumnRule, UseCase
from configs.settings import home
from tasks.data.sql import quoted, text_literal
from tasks.log.read import LIVE, open_log
from tasks.privacy.named import named
from tasks.privacy.values import Anonymity


def quasi_identifiers(case: UseCase, there: Collection[str], of: str = "source") -> list[str]:
    """Those that the use case lists; else the protected columns and those whose names tell an attribute or an address.

    Raises:
        InputError: one that is listed is not there.
    """
    listed = case.privacy.quasi_identifiers
    for name in listed:
        if name not in there:
            where = f"use case {case.name!r}: privacy.quasi_identifiers"
            raise InputError(f"{where}: the {of} has no column {name!r}; {nearest(name, there)}")
    protected = case.fairness.protected if case.fairness else []
    told = [name for name in there if (said := named(name)) and (said[1] == "attribute" or said[0] in USUAL)]
    return listed or [name for name in dict.fromkeys([*protected, *told]) if name in there and name != case.target.column]


USUAL = ("address", "date of birth")


def of_table(rows: Any, case: UseCase, of: str) -> Anonymity | None:
    """Of a DuckDB relation that has the target; None where no column is one to know a person by."""
    columns = quasi_identifiers(case, rows.columns, of)
    if not columns:
        return None
    target = quoted(case.target.column) if case.target.column in rows.columns else None
    sql = _classes("kept", [quoted(name) for name in columns], case.privacy.k, target)
    return _anonymity(of, columns, case, rows.query("kept", sql).fetchall()[0])


def of_log(case: UseCase, columns: list[str]) -> Anonymity | None:
    """Of the answered requests in the log, by those of the columns that it has; None where it has none of them, or no row.

    What is hashed counts as it is: equal values have equal hashes.

    Raises:
        CheckFailed: the log cannot be read.
    """
    unseen = {name: why for name in columns if (why := _not_logged(case, name))}
    logged = [name for name in columns if name not in unseen]
    if not logged or not (home() / "use_cases" / case.name / "predictions").is_dir():
        return None
    values = [f"json_extract_string(features, {text_literal(_pointer(name))})" for name in logged]
    with open_log(case.name) as log:
        found = log.execute(_classes(f"(select * from log where {LIVE})", values, case.privacy.k, None)).fetchone()
    return _anonymity("prediction log", logged, case, found, unseen) if found and found[1] else None


def _not_logged(case: UseCase, name: str) -> str:
    if name not in (*case.features.all, *case.features.identifiers):
        return "clients do not send it, so the log does not have it"
    omitted = case.log.sensitive == "omit" and case.features.rules.get(name, ColumnRule()).sensitive
    return "the log leaves it out" if omitted else ""


def _pointer(name: str) -> str:
    """A JSON pointer (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _classes(table: str, values: list[str], k: int, target: str | None) -> str:
    told = "case when answers = 1 then n end" if target else "null"
    answers = f"count(distinct {target})" if target else "null"
    return f"""with classes as (select count(*) as n, {answers} as answers from {table} group by {", ".join(values)})
        select coalesce(sum(n), 0), count(*), coalesce(min(n), 0), coalesce(sum(n) filter (n < {k}), 0),
            {f"coalesce(sum({told}) filter (n >= {k}), 0)" if target else "null"} from classes"""


def _anonymity(of: str, columns: list[str], case: UseCase, found: Any, unseen: dict[str, str] | None = None) -> Anonymity:
    rows, classes, smallest, below, told = (None if each is None else int(each) for each in found)
    return Anonymity(
        of=of,
        columns=columns,
        k=case.privacy.k,
        rows=rows,
        classes=classes,
        smallest=smallest,
        below=below,
        told=told,
        unseen=unseen or {},
    )
