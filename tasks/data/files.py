"""Files as tables: CSV, Parquet, JSON lines and workbooks, one or a folder of them, by any path or fsspec URL."""

from __future__ import annotations

import functools
import hashlib
import io
import logging
from collections.abc import Callable, Iterable
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

logger = logging.getLogger(__name__)
PACKED = (".gz", ".bz2", ".zip", ".zst", ".xz")
CSV, PARQUET, JSON_LINES, WORKBOOK = (".csv", ".tsv", ".txt"), (".parquet", ".pq"), (".jsonl", ".ndjson"), (".xlsx",)
UNFINISHED = (".part", ".partial", ".tmp", ".crdownload")  # what programs call a file that they still write
CHANGES = ("size", "ETag", "mtime", "LastModified", "last_modified", "ino")  # what file systems say of a file's state
NOTHING, USUAL = Declared(), CsvFormat()
READ = "CSV (.csv, .tsv), Parquet (.parquet), JSON lines (.jsonl), a workbook (.xlsx), or a folder of one of these"


@functools.cache  # once, however often a table is read
def tell(told: str) -> None:
    """Tell what nobody asked to be told."""
    logger.warning(told)


def read_file(
    where: str,
    location: str,
    declared: Declared = NOTHING,
    form: CsvFormat = USUAL,
    digests: dict[str, str] | None = None,
    say: Callable[[str], None] = tell,
) -> Any:
    """The file or folder as an Arrow table; `where` begins each error, as the key that names the file does.

    `digests` gets the SHA-256 of each file as it lies there, by its name in the folder, or by nothing where there is none.
    `say` is told which files of a folder are not read because they are still written.

    Raises:
        InputError: it cannot be read, was changed meanwhile, or a row of it is not what is declared.
    """
    kind = kind_of(location)
    try:
        files, path, folder = located(location)
        if kind is None and not folder:
            raise InputError(f"{where}: {location!r} is neither {READ}")
        before = _states(files, path, folder)
        inside, kind = _of_one_kind(where, path, list(before), say) if folder else ([path], kind)
        contents = _contents(where, files, path, folder, inside, {} if digests is None else digests)
        _require_unchanged(before, _states(files, path, folder), inside, [name for name, _ in contents])
        if kind in PARQUET:
            return _parquet_folder(path, inside, contents) if folder else _parquet(where, contents[0][1])
        if kind in WORKBOOK:
            return _joined([(name, read_workbook(name, content, declared)) for name, content in contents])
    except InputError:
        raise
    except Exception as error:  # every file system and format has errors of its own; all mean "cannot be read"
        raise unreadable(where, location, error) from error
    if kind in JSON_LINES:
        return _joined([(name, json_lines(name, content, declared)) for name, content in contents])
    return _csv(where, contents, declared, form)


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


def members(found: Iterable[str], path: str) -> list[str]:
    """Those of all files of a folder that hold rows, in their order."""
    return [each for each in _shown(found, path) if not each.lower().endswith(UNFINISHED)]


def _shown(found: Iterable[str], path: str) -> list[str]:
    """Names that begin with `_` or `.` are passed over."""
    parts = {each: PurePosixPath(_name(each, path)).parts for each in found}
    return sorted(each for each in parts if not any(part.startswith(("_", ".")) for part in parts[each]))


def _of_one_kind(where: str, path: str, found: list[str], say: Callable[[str], None]) -> tuple[list[str], str | None]:
    inside = members(found, path)
    if waiting := [_name(each, path) for each in _shown(found, path) if each.lower().endswith(UNFINISHED)]:
        more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
        say(f"{where}: {path!r}: {', '.join(waiting[:3])}{more} not read, since files of that name are still written")
    kinds = {kind_of(each) for each in inside}
    if len(kinds) != 1 or None in kinds:
        told = ", ".join(sorted(PurePosixPath(each).suffix or each for each in inside)[:5]) or "nothing"
        raise InputError(f"{where}: {path!r} must hold files of one kind, {READ}; found {told}")
    return inside, kinds.pop()


def _name(each: str, path: str) -> str:
    """A file's name within its folder; nothing for the folder itself."""
    return each.removeprefix(path).lstrip("/")


def _states(files: Any, path: str, folder: bool) -> dict[str, list[Any]]:
    """Every file that is there, and what would tell that another wrote it."""
    files.invalidate_cache()
    found = files.find(path, detail=True) if folder else {path: files.info(path)}
    return {each: [info.get(key) for key in CHANGES] for each, info in found.items()}


def _contents(
    where: str, files: Any, path: str, folder: bool, inside: list[str], digests: dict[str, str]
) -> list[tuple[str, bytes]]:
    """What is in the files, unpacked, each with where its errors begin."""
    contents = []
    for each in inside:
        with files.open(each, "rb") as file:
            content = file.read()
        digests[_name(each, path)] = hashlib.sha256(content).hexdigest()
        contents.append((f"{where}: {_name(each, path)}" if folder else where, _unpacked(each, content)))
    return contents


def _require_unchanged(before: dict[str, Any], after: dict[str, Any], inside: list[str], names: list[str]) -> None:
    """Rows of a file that was written meanwhile are neither those before nor those after. New files are the next reading's.

    Raises:
        InputError: which file.
    """
    for each, name in zip(inside, names, strict=True):
        if before[each] != after.get(each):
            raise InputError(
                f"{name}: was changed while it was read; run again when it is whole. A file that is written under a name "
                f"with {', '.join(UNFINISHED)} and renamed then is never read half-way"
            )


def _unpacked(path: str, content: bytes) -> bytes:
    import fsspec

    packed = fsspec.core.get_compression(path, "infer")
    if packed is None:
        return content
    unpacked: bytes = fsspec.compression.compr[packed](io.BytesIO(content), mode="rb").read()
    return unpacked


def _require_same_columns(first: tuple[str, Iterable[str]], name: str, there: Iterable[str]) -> None:
    """A folder is one table, whatever kind its files are of: a column that one lacks may be one that is called anew.

    Raises:
        InputError: which file, and which column.
    """
    known, found = set(first[1]), set(there)
    if odd := sorted(known ^ found):
        told = f"has a column {odd[0]!r} that" if odd[0] in found else f"lacks the column {odd[0]!r} that"
        other = "does not have" if odd[0] in found else "has"
        raise InputError(
            f"{name}: {told} {first[0].rpartition(': ')[2]!r} {other}; write it into all files of the folder, or name two "
            "tables and join them in 'source.query': select * from old union all by name select * from new"
        )


def _unified(schemas: list[tuple[str, Any]]) -> Any:
    """The schema that holds the values of all files.

    Raises:
        InputError: which file and which column has other values than those before it.
    """
    import pyarrow as pa

    whole = schemas[0][1]
    for name, schema in schemas[1:]:
        for field in schema:
            place = whole.get_field_index(field.name)
            try:
                both = pa.unify_schemas([pa.schema([whole.field(place)]), pa.schema([field])], promote_options="permissive")
            except (pa.ArrowTypeError, pa.ArrowInvalid):
                raise InputError(
                    f"{name}: column {field.name!r} holds {field.type}, in the files before it {whole.field(place).type}; "
                    "write one of them in all files of the folder"
                ) from None
            whole = whole.set(place, both.field(0))
    return whole


def _joined(tables: list[tuple[str, Any]]) -> Any:
    """The tables of one file, or of a folder's, as one."""
    import pyarrow as pa

    name, table = tables[0]
    for other, each in tables[1:]:
        _require_same_columns((name, table.column_names), other, each.column_names)
    _unified([(each, part.schema) for each, part in tables])
    return pa.concat_tables([part for _, part in tables], promote_options="permissive")


def _parquet(where: str, content: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return _flat(where, pq.ParquetFile(pa.BufferReader(content)).read())


def _parquet_folder(path: str, inside: list[str], contents: list[tuple[str, bytes]]) -> Any:
    """The files as one table, the names of `key=value` folders as columns of it."""
    import fsspec
    import pyarrow.dataset as ds

    held = fsspec.filesystem("memory", skip_instance_cache=True)
    held.store, held.pseudo_dirs = {}, [""]  # its own; the class has one for all
    held.pipe({f"/{_name(each, path)}": content for each, (_, content) in zip(inside, contents, strict=True)})
    paths = [f"/{_name(each, path)}" for each in inside]
    whole = ds.dataset(paths, filesystem=held, format="parquet", partitioning="hive", partition_base_dir="/")
    schemas = [(name, _plain(part.physical_schema)) for (name, _), part in zip(contents, whole.get_fragments(), strict=True)]
    for name, schema in schemas[1:]:
        _require_same_columns((schemas[0][0], schemas[0][1].names), name, schema.names)
    unified = _unified(schemas)
    keys = [field for field in whole.schema if field.name not in schemas[0][1].names and not _is_index(field.name)]
    for key in keys:
        unified = unified.append(key)
    return _flat(path, whole.replace_schema(unified).to_table())


def _plain(schema: Any) -> Any:
    """Without the index that pandas writes beside the columns."""
    for name in [name for name in schema.names if _is_index(name)]:
        schema = schema.remove(schema.get_field_index(name))
    return schema.remove_metadata()


def _is_index(name: str) -> bool:
    return name.startswith("__index_level_")


def _flat(where: str, table: Any) -> Any:
    table = table.select([place for place, name in enumerate(table.column_names) if not _is_index(name)])
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
        if tables:
            _require_same_columns((contents[0][0], tables[0].column_names), name, table.column_names)
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
