"""What is scored: the rows of a file, a folder or a database's query, some at a time, as the contract reads them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from configs.errors import InputError
from configs.schema import CsvFormat
from configs.secrets import filled, unfilled
from serving.contract.contract import Contract
from serving.contract.spelling import SPELLED
from tasks.data.csv_file import (
    HEAD,
    Declared,
    Uneven,
    WrongField,
    delimiter_of,
    encoding_of,
    header_of,
    text_tables,
    typed,
    uneven,
)
from tasks.data.database import read_database
from tasks.data.files import CSV, JSON_LINES, PARQUET, READ, json_lines, kind_of, read_file, unreadable
from tasks.data.frames import frame_of

CHUNK_ROWS = 100_000
Chunk = tuple[Any, float]  # a frame of at most so many rows, and how much of the whole lies behind it, 0 to 1


class Source:
    """A path or URL as fsspec has it, or with a query a database's; `identity` is what another reading must agree with.

    Raises:
        InputError: there is no such file, or its name does not say what is in it.
    """

    def __init__(self, location: str, query: str | None = None) -> None:
        self.location, self.query = location, query
        self.where = f"source {location!r}"
        self.identity: dict[str, Any] = {"source": location}
        if query is not None:
            self.identity["query"] = query
            return
        import fsspec

        self._filled = filled(self.where, location)
        try:
            self._files, path = fsspec.core.url_to_fs(self._filled)
            found = self._files.info(path)
        except FileNotFoundError:
            raise InputError(f"{self.where}: no such file") from None
        except Exception as error:  # every file system has errors of its own; all mean "cannot be read"
            raise self._untold(unreadable(self.where, location, error)) from error
        if kind_of(location) is None and found["type"] != "directory":
            raise InputError(f"{self.where}: is neither {READ}, nor a database's address (which takes '--query')")
        self.folder = found["type"] == "directory"
        changed = next((str(found[key]) for key in ("ETag", "mtime", "LastModified", "last_modified") if key in found), "")
        self.identity |= {"source": self._files.unstrip_protocol(path), "bytes": found["size"], "changed": changed}

    def _untold(self, error: InputError) -> InputError:
        return InputError(unfilled(str(error), self.location))

    def chunks(self, contract: Contract, form: CsvFormat) -> Iterator[Chunk]:
        """The rows, as the contract's columns are read from such a file. CSV, Parquet and JSON lines are never held whole.

        Raises:
            InputError: it cannot be read, or a field is not what its column takes.
        """
        declared = declared_by(contract)
        if self.query is not None:
            return _slices(read_database(self.location, self.query, declared))
        kind = kind_of(self.location)
        try:
            if not self.folder and kind in PARQUET:
                return self._parquet()
            if not self.folder and kind in JSON_LINES:
                return self._json_lines(declared)
            if not self.folder and kind in CSV:
                return self._csv(declared, form)
            return _slices(read_file(self.where, self._filled, declared, form))
        except InputError as error:
            raise self._untold(error) from None

    def _open(self) -> BinaryIO:
        import fsspec

        try:
            opened: BinaryIO = fsspec.open(self._filled, "rb", compression="infer").open()
        except Exception as error:  # as above
            raise self._untold(unreadable(self.where, self.location, error)) from error
        return opened

    def _behind(self, raw: BinaryIO) -> float:
        """Of a packed file nobody knows how long it is."""
        import fsspec

        packed = fsspec.core.get_compression(self._filled, "infer")
        return 0.0 if packed else raw.tell() / max(self.identity["bytes"], 1)

    def _parquet(self) -> Iterator[Chunk]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self._open() as raw:
            try:
                file = pq.ParquetFile(raw)
            except pa.ArrowInvalid as error:
                raise InputError(f"{self.where}: cannot be read: {error}") from None
            done = 0
            for batch in file.iter_batches(CHUNK_ROWS):
                done += batch.num_rows
                yield frame_of(pa.Table.from_batches([batch])), done / file.metadata.num_rows

    def _json_lines(self, declared: Declared) -> Iterator[Chunk]:
        first, lines = 1, list[bytes]()
        with self._open() as raw:
            for line in raw:
                lines.append(line)
                if len(lines) == CHUNK_ROWS:
                    yield frame_of(json_lines(self.where, b"".join(lines), declared, first)), self._behind(raw)
                    first, lines = first + len(lines), []
        if lines:
            yield frame_of(json_lines(self.where, b"".join(lines), declared, first)), 1.0

    def _csv(self, declared: Declared, form: CsvFormat) -> Iterator[Chunk]:
        first = 0
        with self._open() as raw:
            for table in _csv_tables(self.where, self._open, raw, form):
                try:
                    yield frame_of(typed(table, declared, form)), self._behind(raw)
                except WrongField as error:
                    where = f"{self.location}: row {first + error.row}, column {error.column!r}"
                    raise InputError(f"{where}: {error.problem}") from None
                first += table.num_rows


def declared_by(contract: Contract) -> Declared:
    """What the contract says of a CSV's columns. Models of before learned categories as they were guessed, and get that."""
    texts: dict[str, Any] = {
        c.name: c.from_csv for c in contract.columns if c.dtype == "string" and contract.meaning >= SPELLED
    }
    missing = frozenset(token for column in contract.columns for token in column.missing)
    booleans = frozenset(column.name for column in contract.columns if column.its.datatype == "BOOL")
    numbers = frozenset(column.name for column in contract.columns if column.dtype == "float32") - booleans
    return Declared(numbers, texts, missing, frozenset(contract.names) - texts.keys(), booleans)


def _slices(table: Any) -> Iterator[Chunk]:
    for start in range(0, table.num_rows, CHUNK_ROWS):
        yield frame_of(table.slice(start, CHUNK_ROWS)), min(1.0, (start + CHUNK_ROWS) / table.num_rows)


def _csv_tables(where: str, opened: Callable[[], BinaryIO], raw: BinaryIO, form: CsvFormat) -> Iterator[Any]:
    """Tables of texts of `CHUNK_ROWS` rows; the last may have fewer."""
    import pyarrow as pa

    with opened() as file:
        head = file.read(HEAD)
    encoding = encoding_of(head, form)
    delimiter = delimiter_of(where, head.decode(encoding, errors="ignore").encode(), form)
    with io.TextIOWrapper(opened(), encoding=encoding, newline="", errors="replace") as text:
        header = header_of(text, delimiter)
    waiting: list[Any] = []
    try:
        for table in text_tables(where, raw, header, delimiter, encoding):
            waiting = [pa.concat_tables([*waiting, table])]
            while waiting[0].num_rows > CHUNK_ROWS:
                yield waiting[0].slice(0, CHUNK_ROWS)
                waiting = [waiting[0].slice(CHUNK_ROWS)]
    except Uneven:
        with io.TextIOWrapper(opened(), encoding=encoding, newline="") as text:
            raise InputError(f"{where}: cannot be read: {uneven(text, delimiter)}") from None
    yield from (table for table in waiting if table.num_rows)
