"""Verification: every byte of the prediction log read again and held against its checksums."""

from __future__ import annotations

import duckdb

from configs.settings import prediction_log
from serving.log.segment import SegmentError, groups
from tasks.log.encryption import check_part, may_be_plain
from tasks.log.files import connect, is_finished, parts, read_part, reading, segments
from tasks.log.keys import cipher
from tasks.store import Value


class FileState(Value):
    """One file of the log; `note` says that it is being written to, or what is wrong with it."""

    name: str
    records: int = 0
    bytes: int = 0
    note: str = ""
    damaged: bool = False


def verify(use_case: str) -> list[FileState]:
    """The state of each segment and part, oldest first."""
    folder, key = prediction_log(use_case), cipher()
    may = may_be_plain(folder)
    found = []
    with reading(folder):
        for segment in segments(folder):
            size, end, records, note = segment.stat().st_size, 0, 0, ""
            try:
                for stop, group in groups(segment, key, may(segment)):
                    end, records = stop, records + group.count(b"\n")
                torn = size - end
                if not is_finished(segment):
                    note = "is being written to"
                elif torn > 0:
                    note = f"{torn} bytes torn by a crash, never answered; compaction cuts them off"
                found.append(FileState(name=segment.name, records=records, bytes=size, note=note))
            except SegmentError as error:
                found.append(FileState(name=segment.name, records=records, bytes=size, note=str(error), damaged=True))
        for part in parts(folder):
            name, size = f"{part.parent.name}/{part.name}", part.stat().st_size
            connection, memory = connect()
            with connection:
                try:
                    check_part(part, may)
                    memory.pipe("/part", read_part(part))
                    query = "select count(*), max(hash(columns(*))) from read_parquet('memory:///part')"  # reads every page
                    records = int(connection.sql(query).fetchall()[0][0])
                    found.append(FileState(name=name, records=records, bytes=size))
                except (SegmentError, OSError, duckdb.Error) as error:
                    note = str(error).splitlines()[0]
                    found.append(FileState(name=name, bytes=size, note=note, damaged=True))
    return found
