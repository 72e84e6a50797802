"""A KPI of one's own: a SQL query over the prediction log that gives a number to predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from configs.errors import InputError
from tasks.log.read import open_log
from tasks.log.values import KPI


def query_numbers(log: Any, name: str, sql: str) -> str:
    """The numbers as SQL, columns prediction_id and `kpi.NAME`; of a prediction that the query has twice, their mean.

    Raises:
        InputError: the query does not run, or has no such columns.
    """
    numbers = f'select prediction_id, avg(value::double) as "{KPI}{name}" from ({sql}) group by prediction_id'
    table = f'"queried {name}"'
    try:
        log.execute(f"create temp table {table} as {numbers}")
    except duckdb.Error as error:
        wanted = "it must be a select from log with columns prediction_id and value, a number"
        raise InputError(f"'rollout.checks': 'kpi {name}': 'sql': {str(error).splitlines()[0]}; {wanted}") from None
    return table


def try_queries(use_case: str, queries: Mapping[str, str]) -> None:
    """Run them on the log as it is; by name, "" is none.

    Raises:
        InputError: one does not run.
    """
    if any(queries.values()):
        with open_log(use_case) as log:
            for name, sql in queries.items():
                if sql:
                    query_numbers(log, name, sql)
