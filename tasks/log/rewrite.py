"""Rewriting a part of the log without some of its records; what it is about to become is noted first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from configs.settings import prediction_log
from tasks.log.files import PARQUET, as_it_lies, connect, put_part, read_part, remove_part, swapping

Tell = Callable[[dict[str, Any] | None, list[str]], None]


def belongs(meets: str) -> str:
    """The records of persons, as SQL: predictions that meet it, and the labels, shadows and reviews of `ids`.

    A prediction of somebody else is none, even one that a client gave the same id.
    """
    theirs = "kind in ('feedback', 'shadow', 'review') and prediction_id in (select id from ids)"
    return f"coalesce(({meets}) or {theirs}, false)"


def take_out(
    use_case: str, part: Path, goes: str, values: Sequence[Any], ids: Collection[str], tell: Tell
) -> dict[str, int]:
    """Put the part into place without the records that `goes`, SQL over its rows and a table `ids`; how many, by kind.

    Before anything is changed, `tell` gets what the part's file will be (its digest, bytes and records; None where nothing
    is left), and the ids of the predictions that go. So no part is ever unlike the ledger but for a run that was killed.
    """
    folder = prediction_log(use_case)
    connection, memory = connect()
    with connection:
        memory.pipe("/part", read_part(part))
        connection.execute("create table ids as select unnest(?::varchar[]) as id", [sorted(ids)])
        rows = "read_parquet('memory:///part', hive_partitioning = false)"
        connection.execute(f"create table records as select *, {goes} as goes from {rows}", list(values))
        counted: dict[str, int] = dict(
            connection.sql("select kind, count(*) from records where goes group by kind").fetchall()
        )
        if not counted:
            return {}
        ((left,),) = connection.sql("select count(*) from records where not goes").fetchall()
        kept = "select * exclude goes from records where not goes order by bucket, time"
        connection.execute(f"copy ({kept}) to 'memory:///kept' {PARQUET}")
        content = as_it_lies(part, memory.cat("/kept")) if left else None
        gone = connection.sql("select distinct prediction_id from records where goes and kind = 'prediction'").fetchall()
    tell(None if content is None else _becomes(content, left), [each for (each,) in gone])
    with swapping(folder):
        if content is not None:
            put_part(part, content)
            return counted
        remove_part(part)
        if not any(part.parent.iterdir()):
            part.parent.rmdir()
    return counted


def _becomes(content: bytes, records: int) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "records": records}
