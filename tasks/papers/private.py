"""What is kept of persons: of the rows that a version learned from, and of the prediction log."""

from __future__ import annotations

import duckdb

from configs.schema import UseCase
from tasks.data.values import Snapshot
from tasks.papers.values import Table
from tasks.privacy.anonymity import of_log, of_table, quasi_identifiers
from tasks.privacy.scan import scan
from tasks.privacy.told import ANONYMITY, PERSONAL, anonymity_row, personal_row


def private_tables(case: UseCase, snapshot: Snapshot) -> tuple[Table, Table]:
    """What a scan of the snapshot finds, and the k-anonymity of snapshot and log.

    Raises:
        InputError: a declared quasi-identifier is no column of the snapshot.
        CheckFailed: the log cannot be read.
    """
    where = f"store/snapshots/{snapshot.digest}.parquet"
    if not snapshot.path.exists():
        nothing = f"{where} is gone, so it cannot be looked at"
        return _nothing(PERSONAL, where, nothing), _nothing(ANONYMITY, where, nothing)
    rows = duckdb.read_parquet(str(snapshot.path))
    scanned, columns = scan(rows, case), quasi_identifiers(case, rows.columns, "snapshot")
    personal = Table(
        heads=PERSONAL,
        rows=[personal_row(each) for each in scanned.found],
        source=f"a scan of {where}, {scanned.rows:,} rows",
        nothing="" if scanned.found else f"a scan of {where} found nothing personal in {scanned.columns} columns",
    )
    found = [each for each in (of_table(rows, case, "snapshot"), of_log(case, columns)) if each]
    kept = Table(
        heads=ANONYMITY,
        rows=[anonymity_row(each) for each in found],
        source=f"{where}, use_cases/{case.name}/predictions/",
        nothing="" if found else "no column is declared or named as one to know a person by (privacy.quasi_identifiers)",
    )
    return personal, kept


def _nothing(heads: list[str], where: str, why: str) -> Table:
    return Table(heads=heads, rows=[], source=where, nothing=why)
