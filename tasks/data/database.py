"""A database as a source: what one query gives, by any SQLAlchemy URL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from configs.errors import InputError
from configs.secrets import filled, unfilled
from tasks.data.columns import arrow_table
from tasks.data.csv_file import Declared, distinct


def read_database(url: str, query: str, declared: Declared) -> Any:
    """The rows of the query as an Arrow table.

    Raises:
        InputError: the database or the query fails, or a column holds values without a common type.
    """
    try:
        names, rows = fetch(filled("source.database", url, encoded=True), query)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise InputError(f"source.database: {unfilled(reason, url)}") from None
    where = "source.database"
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return arrow_table(where, dict(zip(distinct(where, names), columns, strict=True)), declared)


def fetch(url: str, query: str) -> tuple[list[str], list[Any]]:
    """The names and the rows that a driver gives.

    The query is given as it is: a colon or a percent sign in it is no parameter. The connection ends with it.
    """
    with engine(url).connect() as connection:
        found = connection.execution_options(no_parameters=True).exec_driver_sql(query)
        return list(found.keys()), list(found.fetchall())


def engine(url: str) -> sa.Engine:
    """What connects to that database. PostgreSQL's driver is psycopg, whatever SQLAlchemy takes for it by itself."""
    address = sa.make_url(url)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    return sa.create_engine(address, poolclass=sa.NullPool)
