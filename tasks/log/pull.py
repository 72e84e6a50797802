"""Pull: what servers without a disk left in a bucket comes home, into the log of this home, and is gone there.

Each object is a segment of one group (`serving/log/objects.py`). Its records are appended to segments of this home and lie
on the disk before the object is deleted; whoever is killed in between pulls some twice, and every reader counts those once.
"""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from configs.errors import InputError
from configs.schema import UseCase
from configs.settings import prediction_log
from serving.log.segment import SegmentError, groups, is_record
from serving.log.writer import PredictionLog
from tasks.log.encryption import begin, check_key, encryption
from tasks.log.keys import cipher, key
from tasks.store import Value

AT_ONCE = 500  # objects that are asked for, and deleted, together


class Pulled(Value):
    """What came home: objects and records; `damaged` are objects that are left where they lie, and why."""

    objects: int = 0
    records: int = 0
    damaged: tuple[str, ...] = ()


def bucket_of(use_case: UseCase) -> str:
    """Where servers without a disk leave the use case's records.

    Raises:
        InputError: it names no bucket.
    """
    if use_case.log.bucket is None:
        raise InputError(
            f"use case {use_case.name!r} names no bucket to pull from; write 'log: {{bucket: s3://BUCKET/PREFIX}}'"
        )
    return use_case.log.bucket


def pull(use_case: UseCase) -> Pulled:
    """Take everything home that lies in `log.bucket`; call it within `maintaining` (`tasks/log/files.py`).

    Raises:
        InputError: the use case names no bucket, it cannot be read, or the log is encrypted and its key is missing.
    """
    import fsspec
    from botocore.exceptions import BotoCoreError

    bucket = bucket_of(use_case)
    check_key(use_case.name)
    begin(use_case.name)
    # What a cached file system knows may be gone.
    files, path = fsspec.core.url_to_fs(bucket, skip_instance_cache=True, use_listings_cache=False)
    done = Pulled()
    try:
        paths = sorted(files.glob(f"{path}/predictions-*.jsonl"))
        for start in range(0, len(paths), AT_ONCE):
            done = _take(use_case.name, files, paths[start : start + AT_ONCE], done)
        left = set(paths) & set(files.glob(f"{path}/predictions-*.jsonl"))
    except (OSError, BotoCoreError) as error:
        raise InputError(f"log.bucket {bucket}: {type(error).__name__}: {error}") from None
    if len(left) > len(done.damaged):
        raise InputError(
            f"log.bucket {bucket}: {len(left) - len(done.damaged):,} objects that came home could not be "
            "deleted there, and would come again; give this home the right to delete (s3:DeleteObject)"
        )
    return done


def _take(use_case: str, files: Any, paths: list[str], done: Pulled) -> Pulled:
    """Bring some home, in one segment, and delete them when that lies on the disk; what is done by then."""
    home, records = PredictionLog(prediction_log(use_case), key(), segment_bytes=2**62), 0
    damaged: list[str] = []
    taken: list[str] = []
    try:
        for path, content in files.cat(paths).items():
            try:
                found = _lines(use_case, PurePosixPath(path).name, content)
            except SegmentError as error:
                damaged.append(str(error))
                continue
            for lines in found:
                records += lines.count(b"\n")
                home.append_lines(lines, lines.count(b"\n"))
            taken.append(path)
        home.sync()
        if taken:
            files.rm(taken)
    finally:
        home.close()
    return Pulled(objects=done.objects + len(taken), records=done.records + records, damaged=(*done.damaged, *damaged))


def _lines(use_case: str, name: str, content: bytes) -> list[bytes]:
    """The records of an object, once they are held against their checksum or seal."""
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / name).write_bytes(content)
        found = list(groups(path, cipher(), plain=encryption(prediction_log(use_case)) is None))
    finished = found[-1][0] if found else 0
    if finished != len(content):
        raise SegmentError(f"{name}: only {finished:,} of its {len(content):,} bytes are finished")
    if not all(is_record(line) for _, lines in found for line in lines.splitlines()):
        raise SegmentError(f"{name}: holds records that no server of this version writes")
    return [lines for _, lines in found]
