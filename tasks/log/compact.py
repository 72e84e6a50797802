"""Compaction: segments that no server writes to any more are verified and become Parquet, partitioned by day."""

from __future__ import annotations

import time
from pathlib import Path

from configs.errors import CheckFailed
from configs.settings import prediction_log
from serving.log.segment import Cipher, SegmentError, groups
from serving.log.writer import ROTATE
from tasks.history import record
from tasks.log.encryption import adopt, check_key, encryption, may_be_plain
from tasks.log.files import PARQUET, connect, is_finished, part_path, segments, swapping, write_part
from tasks.log.keys import cipher
from tasks.log.ledger import described, note
from tasks.log.read import BEFORE, BUCKET, OUTPUT, json_lines
from tasks.store import Value

ROTATION_SECONDS = 15.0  # servers look twice a second
ABANDONED_SECONDS = 60.0


class Compaction(Value):
    """What was done: segments and records that are Parquet now, bytes of torn tails cut off, segments still written to."""

    segments: int = 0
    records: int = 0
    torn_bytes: int = 0
    open: int = 0
    damaged: tuple[str, ...] = ()


def compact(use_case: str) -> Compaction:
    """Compact what is finished. A damaged segment stays as it is, and is named. Call it within `log_files.maintaining`.

    Raises:
        InputError: the log is encrypted, and the key is missing or is another one.
    """
    adopt(use_case)
    folder, key = prediction_log(use_case), cipher()
    if encryption(folder) is not None:  # else each file says itself that it does not open
        check_key(use_case)
    may, encrypted = may_be_plain(folder), encryption(folder) is not None
    done = records = torn = still_open = 0
    damaged = []
    for segment in segments(folder):
        if not is_finished(segment):
            still_open += 1
            continue
        try:
            found, cut = _compact_one(use_case, segment, key, may(segment), encrypted)
        except SegmentError as error:
            damaged.append(str(error))
            continue
        done, records, torn = done + 1, records + found, torn + cut
        if cut:
            reason = f"{cut} bytes at the end of {segment.name} were torn by a crash, never answered: cut off"
            record(use_case, "log-torn", reason, segment=segment.name, bytes=cut)
    _remove_empty(folder)
    return Compaction(segments=done, records=records, torn_bytes=torn, open=still_open, damaged=tuple(damaged))


def rotate(use_case: str) -> None:
    """Have every server finish the segment that it writes to.

    Raises:
        CheckFailed: one did not within `ROTATION_SECONDS`.
    """
    folder = prediction_log(use_case)
    before = [segment for segment in segments(folder) if not is_finished(segment)]
    (folder / ROTATE).touch()
    deadline = time.monotonic() + ROTATION_SECONDS
    while any(segment.exists() and not is_finished(segment) for segment in before):
        if time.monotonic() > deadline:
            names = ", ".join(s.name for s in before if not is_finished(s))
            raise CheckFailed(f"the server that writes to {names} does not let go of it; stop it and run this again")
        time.sleep(0.1)


def _compact_one(use_case: str, segment: Path, key: Cipher | None, plain: bool, encrypted: bool) -> tuple[int, int]:
    """How many records it held, and how many bytes of a torn tail."""
    folder, became = prediction_log(use_case), []
    read = list(groups(segment, key, plain))
    cut = segment.stat().st_size - (read[-1][0] if read else 0)
    connection, memory = connect()
    with connection:
        memory.pipe("/lines", b"".join(group for _, group in read))
        renamed = f"select * exclude ({', '.join(BEFORE)}) replace ({OUTPUT}) from {json_lines(['memory:///lines'])}"
        connection.execute(f"create table records as {renamed}")
        ((count, unread),) = connection.sql("select count(*), count(*) filter (kind is null) from records").fetchall()
        if unread:
            raise SegmentError(f"{segment.name}: {unread} records are not what a server writes")
        for (day,) in connection.sql("select distinct time::date as day from records order by day").fetchall():
            chosen = f"select *, {BUCKET} as bucket from records where time::date = date '{day}' order by bucket, time"
            connection.execute(f"copy ({chosen}) to 'memory:///part' {PARQUET}")
            part = part_path(folder, day, segment.stem, encrypted)
            write_part(part, memory.cat("/part"))
            span = f"select count(*), min(time)::varchar, max(time)::varchar from records where time::date = date '{day}'"
            ((records, first, last),) = connection.sql(span).fetchall()
            became.append({**described(part, folder), "records": records, "first": first, "last": last})
    note(use_case, "compacted", segment=described(segment, folder), parts=became)
    with swapping(folder):
        segment.unlink()
    return int(count), cut


def _remove_empty(folder: Path) -> None:
    """Segments of servers that ended before their first request."""
    for path in folder.glob("*.jsonl"):
        if not path.stat().st_size and time.time() - path.stat().st_mtime > ABANDONED_SECONDS and is_finished(path):
            path.unlink(missing_ok=True)
