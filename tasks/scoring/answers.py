"""Where answers go: a folder of Parquet parts, or, from such parts, one file or one table of a database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from configs.errors import InputError
from configs.secrets import filled, unfilled
from tasks.data.database import engine
from tasks.data.files import CSV, JSON_LINES, PARQUET, WORKBOOK, kind_of, unreadable
from tasks.data.frames import frame_of

SHEET_ROWS = 1_048_576  # of Excel's sheets, the header among them
WRITTEN = "a folder, a file (.parquet, .csv, .csv.gz, .jsonl, .xlsx) or a table ('sqlite:///shop.db#answers')"


def is_table(destination: str) -> bool:
    """Whether it is `DATABASE_URL#TABLE`.

    >>> is_table("postgresql://me@db/shop#answers"), is_table("s3://bucket/answers.csv")
    (True, False)
    """
    return "://" in destination and "#" in destination


def is_folder(destination: str) -> bool:
    """Whether parts stay where they are."""
    return not is_table(destination) and (kind_of(destination) is None or Path(destination).is_dir())


def check_free(destination: str) -> None:
    """Nothing that is there is written over.

    Raises:
        InputError: there is a file or table, or the place cannot be reached.
    """
    where = f"destination {destination!r}"
    if is_table(destination):
        import sqlalchemy as sa

        url, _, table = destination.partition("#")
        try:
            with engine(filled(where, url, encoded=True)).connect() as connection:
                there = sa.inspect(connection).has_table(table)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise InputError(unfilled(f"{where}: {reason}", url)) from None
        if there:
            raise InputError(f"{where}: the table is there already; name another, or drop it")
        return
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(filled(where, destination))
        there = files.exists(path)
    except Exception as error:  # every file system has errors of its own
        raise InputError(unfilled(str(unreadable(where, destination, error)), destination)) from error
    if there:
        raise InputError(f"{where}: is there already; name another, or remove it")


def join(parts: Sequence[Path], destination: str) -> None:
    """All rows of the parts, in their order, in the file or table; there is all of it or nothing.

    Raises:
        InputError: a sheet cannot hold as many rows.
    """
    if is_table(destination):
        _into_table(parts, destination)
        return
    import fsspec

    kind, where = kind_of(destination), f"destination {destination!r}"
    address = filled(where, destination)
    files, path = fsspec.core.url_to_fs(address)
    local = "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))
    beside = Path(path).parent if local else parts[0].parent
    beside.mkdir(parents=True, exist_ok=True)
    temporary = beside / f".{os.getpid()}.writing"
    try:
        if kind in PARQUET:
            _parquet(parts, temporary)
        elif kind in WORKBOOK:
            _workbook(parts, temporary, where)
        else:
            with fsspec.open(str(temporary), "wb", compression=fsspec.core.get_compression(address, "infer")) as file:
                if kind in JSON_LINES:
                    _json_lines(parts, file)
                else:
                    _text(parts, file, "\t" if kind == CSV[1] else ",")
        if local:
            temporary.replace(path)
        else:
            files.put_file(str(temporary), path)
    finally:
        temporary.unlink(missing_ok=True)


def _schema(parts: Sequence[Path]) -> Any:
    """The types of all parts' columns together: what was a whole number in one and a text in another is a text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = [pq.read_schema(part).remove_metadata() for part in parts]
    fields = []
    for name in dict.fromkeys(name for schema in schemas for name in schema.names):
        own = [pa.schema([schema.field(name)]) for schema in schemas if name in schema.names]
        try:
            fields.append(pa.unify_schemas(own, promote_options="permissive").field(0))
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            fields.append(pa.field(name, pa.string()))
    return pa.schema(fields)


def _tables(parts: Sequence[Path]) -> Iterator[Any]:
    """Each part in the types of all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(parts)
    for part in parts:
        table = pq.read_table(part).replace_schema_metadata()
        columns = [
            table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
            for field in schema
        ]
        yield pa.table(columns, schema=schema)


def _frames(parts: Sequence[Path]) -> Iterator[Any]:
    """Each part for a form without lists: several probabilities are a JSON list."""
    import pyarrow as pa

    for table in _tables(parts):
        frame = frame_of(table)
        for field in table.schema:
            if pa.types.is_list(field.type):
                frame[field.name] = [json.dumps(value) for value in table[field.name].to_pylist()]
            elif pa.types.is_integer(field.type):
                frame[field.name] = frame[field.name].astype("Int64")  # with gaps it stays a whole number
        yield frame


def _parquet(parts: Sequence[Path], path: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, _schema(parts)) as writer:
        for table in _tables(parts):
            writer.write_table(table)


def _text(parts: Sequence[Path], file: Any, separator: str) -> None:
    for number, frame in enumerate(_frames(parts)):
        file.write(frame.to_csv(index=False, header=number == 0, sep=separator).encode())


def _json_lines(parts: Sequence[Path], file: Any) -> None:
    """Numbers are written in the shortest form that is read back as the same."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    for table in _tables(parts):
        for batch in table.to_batches(10_000):
            file.write(encoder.encode_lines(batch.to_pylist()))


def _workbook(parts: Sequence[Path], path: Path, where: str) -> None:
    import openpyxl
    import pyarrow.parquet as pq
    from openpyxl.cell import WriteOnlyCell

    rows = sum(pq.read_metadata(part).num_rows for part in parts)
    if rows >= SHEET_ROWS:
        raise InputError(f"{where}: a sheet holds {SHEET_ROWS - 1:,} rows, these are {rows:,}; name a .csv or .parquet file")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("answers")

    def cell(value: Any) -> Any:
        if value is None or value != value:
            return None
        if getattr(value, "tzinfo", None) is not None:
            return value.isoformat()  # a sheet knows no zones
        if isinstance(value, str):  # one that begins with "=" is no formula
            made = WriteOnlyCell(sheet, value)
            made.data_type = "s"
            return made
        return value.item() if hasattr(value, "item") else value

    for number, frame in enumerate(_frames(parts)):
        if number == 0:
            sheet.append([cell(str(name)) for name in frame.columns])
        for row in frame.astype(object).where(frame.notna(), None).itertuples(index=False):
            sheet.append([cell(value) for value in row])
    book.save(path)


def _into_table(parts: Sequence[Path], destination: str) -> None:
    url, _, table = destination.partition("#")
    with engine(filled(f"destination {destination!r}", url, encoded=True)).begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")  # else its driver keeps the empty table whatever comes after
        for frame in _frames(parts):
            frame.to_sql(table, connection, index=False, if_exists="append", chunksize=10_000)
