"""A CSV as people have it: what separates, what encodes, and what each column means by what is declared of it.

All fields are read as text, so that no guess comes before what is declared; the server reads its CSV by the same rules.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from configs.errors import InputError
from configs.schema import CsvFormat
from serving.contract.spelling import CSV_BOOLEANS, CSV_MISSING, csv_number

DELIMITERS = ",;\t|"
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
HEAD = 256 * 1024  # bytes that are looked at to see what separates
FIRST = 1000  # rows that mostly tell what a column is not
SAMPLE_LINES = 200
BLOCK = 16 * 1024 * 1024  # bytes that are read at a time; no row is longer


class Declared(NamedTuple):
    """What is declared of columns by name: numbers, booleans, and categories with what reads a field; all else is guessed.

    `missing` are the tokens beside the blank that stand for nothing. `lossy` columns are guessed as pandas did, which took
    `01234` for 1234: models learned them so.
    """

    numbers: frozenset[str] = frozenset()
    texts: Mapping[str, Callable[[str], str | None]] = {}
    missing: frozenset[str] = frozenset()
    lossy: frozenset[str] = frozenset()
    booleans: frozenset[str] = frozenset()


def encoding_of(head: bytes, form: CsvFormat) -> str:
    """What is declared, else what a byte order mark says, else UTF-8.

    >>> encoding_of("\ufeffa;b".encode(), CsvFormat()), encoding_of(b"a;b", CsvFormat())
    ('utf-8-sig', 'utf-8')
    """
    return form.encoding or next((name for mark, name in MARKS.items() if head.startswith(mark)), "utf-8")


def decoded(where: str, content: bytes, form: CsvFormat) -> bytes:
    """The content in UTF-8, without a byte order mark.

    Raises:
        InputError: it is in another encoding than the one that is declared, that a mark says, or UTF-8.
    """
    encoding = encoding_of(content, form)
    try:
        if encoding == "utf-8-sig":
            content = content.removeprefix(codecs.BOM_UTF8)
        text = content.decode("utf-8" if encoding == "utf-8-sig" else encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        right = (
            "say which one it has"
            if form.encoding
            else "for most other files 'source.csv: {encoding: windows-1252}' reads it"
        )
        raise InputError(
            f"{where}: line {line}: byte 0x{content[error.start]:02x} is no {encoding}; {right} "
            "(latin-1, windows-1252, utf-16, ...)"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(
            f"{where}: line {line}: has a zero byte, as UTF-16 without a mark has; "
            "'source.csv: {encoding: utf-16-le}' reads that"
        )
    return content if encoding in ("utf-8", "utf-8-sig") else text.encode()


def delimiter_of(where: str, content: bytes, form: CsvFormat) -> str:
    """What separates fields: what is declared, else the one that gives every line as many fields as the header.

    Raises:
        InputError: two do.

    >>> delimiter_of("rows", b"a;b\\n1,5;2\\n", CsvFormat())
    ';'
    """
    if form.delimiter:
        return form.delimiter
    text = content[:HEAD].decode("utf-8", errors="ignore")
    found = [mark for mark in DELIMITERS if _even(text, mark, len(content) > HEAD)]
    if len(found) > 1:
        raise InputError(
            f"{where}: both {found[0]!r} and {found[1]!r} may separate its fields; "
            f"'source.csv: {{delimiter: \"{found[0]}\"}}' says which"
        )
    return found[0] if found else ","


def _even(text: str, delimiter: str, cut: bool) -> bool:
    """Whether the first lines have more than one field, and all as many."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    widths = [len(line) for line, _ in zip(lines, range(SAMPLE_LINES), strict=False) if line]
    if cut and len(widths) > 1:
        widths.pop()
    return bool(widths) and widths[0] > 1 and set(widths) == {widths[0]}


def text_tables(where: str, stream: Any, header: list[str], delimiter: str, encoding: str = "utf-8") -> Iterator[Any]:
    """The rows of a binary stream as Arrow tables of text columns, a block of the file each.

    Raises:
        InputError: two columns have one name, or the text is not in that encoding.
        Uneven: a line has another number of fields than the header.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    if not header:
        raise InputError(f"{where}: is empty; its first line must name the columns")
    names = distinct(where, header)
    try:
        reader = pc.open_csv(
            stream,
            read_options=pc.ReadOptions(use_threads=False, block_size=BLOCK, encoding=encoding.removesuffix("-sig")),
            parse_options=pc.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pc.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch]).rename_columns(names)
    except pa.ArrowInvalid as error:
        raise Uneven(str(error)) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: is not {encoding} ({error.reason}); 'source.csv: {{encoding: ...}}' says what it is"
        ) from None


class Uneven(ValueError):
    """A CSV whose lines do not have as many fields as its header; `uneven` finds the first."""


def header_of(text: io.TextIOBase, delimiter: str) -> list[str]:
    """The names in the first line."""
    return next(csv.reader(text, delimiter=delimiter), [])


def uneven(text: io.TextIOBase, delimiter: str) -> str:
    """The first line with another number of fields than the header, or that there is none; reads all before it."""
    lines = csv.reader(text, delimiter=delimiter)
    width, line = len(next(lines, [])), None
    for line in lines:
        if line and len(line) != width:
            return (
                f"line {lines.line_num}: has {len(line)} fields where the header has {width} (separated by {delimiter!r}); "
                "'source.csv: {delimiter: ...}' says what separates, and quotes keep one in a field"
            )
    return "has no rows" if line is None else "a quote is not closed"


def distinct(where: str, names: list[str]) -> list[str]:
    """The column names, where they can be told apart; SQL does not see capitals. One without a name gets its number.

    Raises:
        InputError: two are the same.
    """
    named = [name or f"column {place}" for place, name in enumerate(names)]
    first: dict[str, str] = {}
    for name in named:
        other = first.get(name.lower())
        if other is not None:
            told = f"two columns are called {name!r}" if other == name else f"{other!r} and {name!r} differ only in capitals"
            raise InputError(f"{where}: {told}; SQL cannot tell them apart, so rename one")
        first[name.lower()] = name
    return named


def typed(table: Any, declared: Declared, form: CsvFormat) -> Any:
    """Text columns as what is declared of them, else as what all of their fields can be: whole numbers, numbers, booleans.

    Raises:
        WrongField: a field of a column of numbers or of booleans is none.
    """
    import pyarrow as pa

    columns = []
    for name in table.column_names:
        texts = table[name].combine_chunks()
        if name in declared.texts:
            columns.append(_categories(texts, declared.texts[name]))
        elif name in declared.booleans:
            columns.append(_booleans(name, _without(texts, declared.missing)))
        else:
            columns.append(_guessed(name, _without(texts, declared.missing), form.decimal, declared))
    return pa.table(columns, names=table.column_names)


class WrongField(ValueError):
    """A field that is not what its column is declared to be; `row` counts from 0."""

    def __init__(self, row: int, column: str, problem: str) -> None:
        self.row, self.column, self.problem = row, column, problem
        super().__init__(f"row {row}, column {column!r}: {problem}")


def line_of(text: io.TextIOBase, delimiter: str, row: int) -> int:
    """On which line of the file a row ends; a field may span several."""
    lines = csv.reader(text, delimiter=delimiter)
    at = -1  # the header
    for fields in lines:
        if fields and (at := at + 1) > row:
            break
    return lines.line_num


def as_text(content: bytes) -> io.TextIOWrapper:
    """Decoded content as the lines of a text."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")


def _categories(texts: Any, read: Callable[[str], str | None]) -> Any:
    import pyarrow as pa

    coded = texts.dictionary_encode()
    meant = [read(text) for text in coded.dictionary.to_pylist()]
    return pa.array(meant, pa.string()).take(coded.indices)


def _without(texts: Any, missing: frozenset[str]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    absent = pc.is_in(texts, value_set=pa.array(sorted(CSV_MISSING | missing), pa.string()))
    return pc.if_else(absent, pa.scalar(None, pa.string()), texts)


def _booleans(name: str, texts: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    read = {text: text.lower() == "true" for text in CSV_BOOLEANS} | {"1": True, "0": False}
    for row, text in enumerate(texts.to_pylist()):
        if text is not None and text not in read:
            told = f"must be true or false (or 1 or 0), found {text[:40]!r}; 'source.missing' names what stands for nothing"
            raise WrongField(row, name, told)
    true = pc.is_in(texts, value_set=pa.array([text for text, meant in read.items() if meant], pa.string()))
    return pc.if_else(pc.is_valid(texts), true, pa.scalar(None, pa.bool_()))


def _guessed(name: str, texts: Any, decimal: str, declared: Declared) -> Any:
    """Booleans, whole numbers or numbers where all of the fields are; else the text.

    Digits that a number would lose, leading zeros and those beyond 64 bits, make a text, unless it is declared a number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    present = texts.drop_null()
    if not len(present):
        return texts.cast(pa.float64())
    if pc.all(pc.is_in(present, value_set=pa.array(sorted(CSV_BOOLEANS), pa.string()))).as_py():
        return pc.utf8_lower(texts).cast(pa.bool_())
    number = name in declared.numbers
    if (
        not number
        and name not in declared.lossy
        and pc.any(pc.match_substring_regex(present, r"^\s*-?(0[0-9]|[0-9]{19})")).as_py()
    ):
        return texts
    plain = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"^\+", "")
    if decimal == ",":  # a point is then none of a number
        plain = pc.replace_substring(pc.replace_substring(plain, ".", "?"), ",", ".")
    for kind in (pa.int64(), pa.float64()):
        try:
            plain[:FIRST].cast(kind)  # Arrow words an error for every value that does not fit, which takes its time
            return plain.cast(kind)
        except pa.ArrowInvalid:
            continue
    if number:
        raise _no_number(name, texts.to_pylist(), decimal)
    return texts


def _no_number(name: str, texts: list[str | None], decimal: str) -> WrongField:
    """Which field is no number, and what would make it one."""
    row, text = next((row, text) for row, text in enumerate(texts) if text is not None and not _is_number(text, decimal))
    right = "'source.missing' names what stands for nothing"
    if decimal == "." and _is_number(text, ","):
        right = "'source.csv: {decimal: \",\"}' reads decimal commas"
    return WrongField(row, name, f"must be a number, found {text[:40]!r}; {right}")


def _is_number(text: str, decimal: str) -> bool:
    try:
        csv_number(text.replace(".", "?").replace(",", ".") if decimal == "," else text)
    except ValueError:
        return False
    return True
