"""Find: every record of one prediction, and in which file of the log it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from configs.errors import CheckFailed
from configs.settings import prediction_log
from serving.log.segment import SegmentError, groups
from tasks.log.encryption import check_part, may_be_plain
from tasks.log.files import connect, is_sealed, parts, read_part, reading, segments
from tasks.log.keys import cipher
from tasks.log.read import BEFORE, BUCKET, COLUMNS

NOT_SAID = ("bucket", "filename", "file_row_number")  # made from the prediction id, or by the reader


class Found(NamedTuple):
    """A record: its file, which row of a part it is (None in a segment), and its text, canonical where it is a part's."""

    file: Path
    row: int | None
    text: str
    record: dict[str, Any]


def find_records(use_case: str, prediction_id: str) -> list[Found]:
    """What the log holds of a prediction: itself, what shadows said, and labels; oldest file first.

    Raises:
        CheckFailed: the log is encrypted and the key does not open it, or a file is damaged.
    """
    folder = prediction_log(use_case)
    with reading(folder):
        try:
            return [*_in_parts(folder, prediction_id), *_in_segments(folder, prediction_id)]
        except SegmentError as error:
            raise CheckFailed(str(error)) from None


def row_text(connection: Any, rows: str) -> str:
    """The text of a row of a part's table, as SQL: JSON of its columns by name."""
    names = [name for (name, *_) in connection.sql(f"describe select * from {rows}").fetchall()]
    return "to_json({" + ", ".join(f"'{name}': \"{name}\"" for name in sorted({*names} - {*NOT_SAID})) + "})::varchar"


def part_rows(place: str) -> str:
    """The rows of a part, each with its number, as a SQL table."""
    return f"read_parquet({place!r}, hive_partitioning = false, file_row_number = true)"


def _in_parts(folder: Path, prediction_id: str) -> Iterator[Found]:
    """Parts are sorted by the id's bucket: of each only the row group that may hold it is read, and nothing of most."""
    may, found = may_be_plain(folder), parts(folder)
    connection, memory = connect()
    with connection:
        query = f"select {BUCKET} from (select ? as prediction_id)"
        ((bucket,),) = connection.execute(query, [prediction_id]).fetchall()
        plain = [str(part) for part in found if not is_sealed(part)]
        holding = _holding(connection, plain, bucket, prediction_id) if plain else set()
        for part in found:
            check_part(part, may)
            place = str(part)
            if is_sealed(part):
                place = "memory:///part"
                memory.pipe("/part", read_part(part))
            elif place not in holding:
                continue
            yield from _in_part(connection, part, part_rows(place), bucket, prediction_id)


def _holding(connection: Any, places: list[str], bucket: int, prediction_id: str) -> set[str]:
    """Which of these parts have it."""
    rows = f"read_parquet({places!r}, hive_partitioning = false, filename = true)"
    query = f"select distinct filename from {rows} where bucket = {bucket} and prediction_id = ?"
    try:
        return {place for (place,) in connection.execute(query, [prediction_id]).fetchall()}
    except duckdb.Error as error:
        raise SegmentError(str(error).splitlines()[0]) from None


def _in_part(connection: Any, part: Path, rows: str, bucket: int, prediction_id: str) -> Iterator[Found]:
    text = row_text(connection, rows)
    chosen = f"select {text}, file_row_number from {rows} where bucket = {bucket} and prediction_id = ?"
    try:
        found = connection.execute(f"{chosen} order by file_row_number", [prediction_id]).fetchall()
    except duckdb.Error as error:
        raise SegmentError(f"{part.name}: {str(error).splitlines()[0]}") from None
    for line, row in found:
        yield Found(part, row, line, _said(json.loads(line)))


def _in_segments(folder: Path, prediction_id: str) -> Iterator[Found]:
    key, may, wanted = cipher(), may_be_plain(folder), json.dumps(prediction_id, ensure_ascii=False).encode()
    for segment in segments(folder):
        for _, group in groups(segment, key, may(segment)):
            if wanted not in group:
                continue
            for line in group.splitlines():
                record = json.loads(line)
                if record.get("prediction_id") == prediction_id:
                    yield Found(segment, None, line.decode(), _said(record))


def _said(record: dict[str, Any]) -> dict[str, Any]:
    """What is said in a record, under today's names."""
    today = {("output" if name in BEFORE else name): value for name, value in record.items() if value is not None}
    if isinstance(today.get("features"), str):
        today["features"] = json.loads(today["features"])
    return {name: today[name] for name in COLUMNS if name in today}
