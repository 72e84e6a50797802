"""Where in a file a row of its table stands, as whoever opens that file finds it."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any

from configs.schema import CsvFormat
from tasks.data.csv_file import as_text, decoded, delimiter_of
from tasks.data.files import CSV, JSON_LINES, WORKBOOK, kind_of, located, members


def places(location: str, rows: Collection[int], form: CsvFormat) -> dict[int, str]:
    """Of rows of the table that `read_file` makes of the location, each its place: `line 3`, or `may.csv: line 3`.

    A row of a Parquet file has no line: it is counted from 0, in its file. Reads the files up to the last of the rows again.
    """
    files, path, folder = located(location)
    found: dict[int, str] = {}
    first = 0
    for each in members(files.find(path), path) if folder else [path]:
        place = f"{PurePosixPath(each).name}: " if folder else ""
        for told in _told(files, each, form):
            if first in rows:
                found[first] = place + told
            first += 1
        if len(found) == len(rows):
            break
    return found


def _told(files: Any, path: str, form: CsvFormat) -> Iterator[str]:
    """The place of each row of a file."""
    import fsspec

    with fsspec.core.OpenFile(files, path, compression=fsspec.core.get_compression(path, "infer")) as file:
        content = file.read()
    kind = kind_of(path)
    if kind in CSV:
        return _lines(decoded(path, content, form), form)
    if kind in JSON_LINES:
        return (f"line {number}" for number, line in enumerate(content.split(b"\n"), 1) if line.strip())
    return _sheet_rows(content) if kind in WORKBOOK else _rows(content)


def _lines(content: bytes, form: CsvFormat) -> Iterator[str]:
    """The line on which each row ends; a field may span several."""
    lines = csv.reader(as_text(content), delimiter=delimiter_of("", content, form))
    return (f"line {lines.line_num}" for fields in itertools.islice(lines, 1, None) if fields)


def _sheet_rows(content: bytes) -> Iterator[str]:
    """As the one sheet that holds something counts them, below its header."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    for sheet in book.worksheets:
        filled = (at for at, cells in enumerate(sheet.iter_rows(), 1) if any(cell.value is not None for cell in cells))
        yield from (f"row {at}" for at in itertools.islice(filled, 1, None))


def _rows(content: bytes) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return (f"row {row}" for row in range(pq.ParquetFile(pa.BufferReader(content)).metadata.num_rows))
