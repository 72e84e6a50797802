"""Files as tables: CSV, Parquet, JSON lines and workbooks, one or a folder of them, by any path or fsspec URL."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from configs.errors import InputError
from configs.schema import CsvFormat
from tasks.data.columns import arrow_table
from tasks.data.csv_file import (
    Declared,
    Uneven,
    WrongField,
    as_text,
    decoded,
    delimiter_of,
    distinct,
    header_of,
    line_of,
    text_tables,
    typed,
    uneven,
)
from tasks.data.workbook import read_workbook

PACKED = (".gz", ".bz2", ".zip", ".zst", ".xz")
CSV, PARQUET, JSON_LINES, WORKBOOK = (".csv", ".tsv", ".txt"), (".parquet", ".pq"), (".jsonl", ".ndjson"), (".xlsx",)
NOTHING, USUAL = Declared(), CsvFormat()
READ = "CSV (.csv, .tsv), Parquet (.parquet), JSON lines (.jsonl), a workbook (.xlsx), or a folder of one of these"


def read_file(where: str, location: str, declared: Declared = NOTHING, form: CsvFormat = USUAL) -> Any:
    """The file or folder as an Arrow table; `where` begins each error, as the key that names the file does.

    Raises:
        InputError: it cannot be read, or a row of it is not what is declared.
    """
    import fsspec
    import pyarrow as pa

    kind = kind_of(location)
    try:
        files, path, folder = located(location)
        if folder:
            return _read_folder(where, files, path, declared, form)
        if kind is None:
            raise InputError(f"{where}: {location!r} is neither {READ}")
        with fsspec.open(location, "rb", compression="infer") as file:
            content = file.read()
        if kind in PARQUET:
            return _parquet(where, pa.BufferReader(content))
        if kind in WORKBOOK:
            return read_workbook(where, content, declared)
    except InputError:
        raise
    except Exception as error:  # every file system and format has errors of its own; all mean "cannot be read"
        raise unreadable(where, location, error) from error
    if kind in JSON_LINES:
        return json_lines(where, content, declared)
    return _csv(where, [(where, content)], declared, form)


def kind_of(location: str) -> str | None:
    """How the name of a file says what is in it, or None where it does not.

    >>> kind_of("s3://bucket/rows.csv.gz"), kind_of("rows.docx")
    ('.csv', None)
    """
    path = PurePosixPath(urlsplit(location).path if "://" in location else location)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in PACKED]
    found = suffixes[-1] if suffixes else ""
    return found if found in (*CSV, *PARQUET, *JSON_LINES, *WORKBOOK) else None


def located(location: str) -> tuple[Any, str, bool]:
    """The file system, the path in it, and whether a folder is there. A folder of another machine has no suffix."""
    import fsspec

    files, path = fsspec.core.url_to_fs(location)
    return files, path, files.isdir(path) if kind_of(location) is None else _is_local(files) and files.isdir(path)


def unreadable(where: str, location: str, error: Exception) -> InputError:
    """What is told of a file that is absent, locked or broken."""
    plain = error.strerror if isinstance(error, OSError) else None  # the system's own words, without its number
    return InputError(f"{where}: cannot read {location!r}: {plain or f'{type(error).__name__}: {error}'}")


def _is_local(files: Any) -> bool:
    return "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))


def _read_folder(where: str, files: Any, path: str, declared: Declared, form: CsvFormat) -> Any:
    """All files of a folder, in the order of their names, as one table."""
    import fsspec
    import pyarrow as pa

    inside = members(files, path)
    kinds = {kind_of(each) for each in inside}
    if len(kinds) != 1 or None in kinds:
        told = ", ".join(sorted(PurePosixPath(each).suffix or each for each in inside)[:5]) or "nothing"
        raise InputError(f"{where}: {path!r} must hold files of one kind, {READ}; found {told}")
    kind = kinds.pop()
    if kind in PARQUET:
        return _parquet_folder(where, files, path, inside)
    contents = []
    for each in inside:
        with fsspec.core.OpenFile(files, each, compression=fsspec.core.get_compression(each, "infer")) as file:
            contents.append((f"{where}: {PurePosixPath(each).name}", file.read()))
    if kind in CSV:
        return _csv(where, contents, declared, form)
    read = read_workbook if kind in WORKBOOK else json_lines
    tables = [read(name, content, declared) for name, content in contents]
    return pa.concat_tables(tables, promote_options="permissive")


def members(files: Any, path: str) -> list[str]:
    """The files of a folder that hold rows, in their order; names that begin with `_` or `.` are passed over."""
    return [each for each in sorted(files.find(path)) if not _hidden(each.removeprefix(path))]


def _hidden(inside: str) -> bool:
    return any(part.startswith(("_", ".")) for part in PurePosixPath(inside.lstrip("/")).parts)


def _parquet(where: str, file: Any) -> Any:
    import pyarrow.parquet as pq

    return _flat(where, pq.ParquetFile(file).read())


def _parquet_folder(where: str, files: Any, path: str, inside: list[str]) -> Any:
    """The folder by the columns of all its files, those of `key=value` folders too: a later file may have new ones."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    whole = ds.dataset(inside, filesystem=files, format="parquet", partitioning="hive", partition_base_dir=path)
    schema = pa.unify_schemas(
        [whole.schema, *(part.physical_schema for part in whole.get_fragments())], promote_options="permissive"
    )
    return _flat(where, whole.replace_schema(schema).to_table())


def _flat(where: str, table: Any) -> Any:
    """Without the index that pandas writes beside the columns."""
    table = table.select([place for place, name in enumerate(table.column_names) if not name.startswith("__index_level_")])
    return table.rename_columns(distinct(where, table.column_names)).replace_schema_metadata()


def _csv(where: str, contents: list[tuple[str, bytes]], declared: Declared, form: CsvFormat) -> Any:
    """One or several CSV files, of the same columns, as one table: what a column is, all of its fields say together."""
    import pyarrow as pa

    tables: list[Any] = []
    parts = []
    for name, raw in contents:
        content = decoded(name, raw, form)
        delimiter = delimiter_of(name, content, form)
        header = header_of(as_text(content), delimiter)
        try:
            blocks = list(text_tables(name, pa.BufferReader(content), header, delimiter))
        except Uneven:
            raise InputError(f"{name}: {uneven(as_text(content), delimiter)}") from None
        table = pa.concat_tables(blocks) if blocks else pa.table({each: pa.array([], pa.string()) for each in header})
        if tables and set(table.column_names) != set(tables[0].column_names):
            odd = sorted(set(table.column_names) ^ set(tables[0].column_names))
            raise InputError(f"{name}: its columns are not those of the files before it; {odd[0]!r} is in one only")
        tables.append(table.select(tables[0].column_names) if tables else table)
        parts.append((name, content, delimiter, table.num_rows))
    try:
        return typed(pa.concat_tables(tables), declared, form)
    except WrongField as error:
        row = error.row
        for name, content, delimiter, rows in parts:
            if row < rows:
                line = line_of(as_text(content), delimiter, row)
                raise InputError(f"{name}: line {line}, column {error.column!r}: {error.problem}") from None
            row -= rows
        raise


def json_lines(where: str, content: bytes, declared: Declared, first: int = 1) -> Any:
    """The lines, the first of which has that number in the file, as an Arrow table.

    Raises:
        InputError: one is no JSON object, or a column holds values without a common type.
    """
    import msgspec

    rows = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), first):
        if line.strip():
            try:
                rows.append(msgspec.json.decode(line, type=dict[str, Any]))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InputError(f"{where}: line {number}: is no JSON object ({error})") from None
    names = distinct(where, list(dict.fromkeys(name for row in rows for name in row)))
    return arrow_table(where, {name: [row.get(name) for row in rows] for name in names}, declared)
