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
from serving.log.segment import SegmentError, groups
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


def pull(use_case: UseCase) -> Pulled:
    """Take everything home that lies in `log.bucket`; call it within `log_files.maintaining`.

    Raises:
        InputError: the use case names no bucket, it cannot be read, or the log is encrypted and its key is missing.
    """
    if use_case.log.bucket is None:
        raise InputError(
            f"use case {use_case.name!r} names no bucket to pull from; write 'log: {{bucket: s3://BUCKET/PREFIX}}'"
        )
    check_key(use_case.name)
    begin(use_case.name)
    files, paths = _listed(use_case.log.bucket)
    home, damaged, objects, records = PredictionLog(prediction_log(use_case.name), key()), list[str](), 0, 0
    try:
        for start in range(0, len(paths), AT_ONCE):
            taken = []
            for path, content in files.cat(paths[start : start + AT_ONCE]).items():
                try:
                    found = _lines(use_case.name, PurePosixPath(path).name, content)
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
            objects += len(taken)
    finally:
        home.close()
    return Pulled(objects=objects, records=records, damaged=tuple(damaged))


def _listed(bucket: str) -> tuple[Any, list[str]]:
    """The file system of the bucket, and the segments in it, the oldest first."""
    import fsspec
    from botocore.exceptions import BotoCoreError

    files, path = fsspec.core.url_to_fs(bucket, skip_instance_cache=True)  # what a cached one knows may be gone
    try:
        return files, sorted(files.glob(f"{path}/predictions-*.jsonl"))
    except (OSError, BotoCoreError) as error:
        raise InputError(f"log.bucket {bucket}: cannot be listed: {error}") from None


def _lines(use_case: str, name: str, content: bytes) -> list[bytes]:
    """The records of an object, once they are held against their checksum or seal."""
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / name).write_bytes(content)
        found = list(groups(path, cipher(), plain=encryption(prediction_log(use_case)) is None))
    finished = found[-1][0] if found else 0
    if finished != len(content):
        raise SegmentError(f"{name}: only {finished:,} of its {len(content):,} bytes are finished")
    return [lines for _, lines in found]
