"""Folded: the journal of reviews as tables, so that neither one answer nor a sum of all needs every line.

```
reviews/folded/BEFORE-SHA256.parquet   LINES lines of the journal, a row each, by prediction; .sealed where there is a key
reviews/folded/index.json              which bytes of the journal are in which table, and of which file they were
```

The journal is the truth. A table is named by how many lines are before its own and by the SHA-256 of those, and made
again where the journal has other ones; what erasure takes out of a line goes with the line's table. The folder may be
removed at any time.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from configs.errors import CheckFailed
from configs.files import write_atomically
from configs.settings import made
from serving.log.segment import SegmentError
from tasks.log.keys import cipher, required_cipher
from tasks.log.review_line import decoded, details_of, name_of, unreadable

LINES = 20_000
ROWS = 4096  # a row group: what one look for one prediction reads of a table
COLUMNS = ["number", "at", "time", "what", "prediction_id", "model_answer", "answer", "how", "people"]
NULL = msgspec.Raw(b"null")


class _Details(msgspec.Struct):
    """What a table has of an event; answers as the JSON that they were written as."""

    prediction_id: str = ""
    model_answer: msgspec.Raw = NULL
    answer: msgspec.Raw = NULL
    how: str = ""
    people: list[str] = []


class Chunk(msgspec.Struct):
    """Lines of the journal behind so many others: the bytes from `begin` to `end`, and the SHA-256 of them."""

    before: int
    sha256: str
    begin: int
    end: int


class Index(msgspec.Struct):
    """The chunks of one file, in order, without a gap; `file` tells whether it is still that file."""

    file: tuple[int, int]
    chunks: list[Chunk] = []

    @property
    def end(self) -> int:
        """The first byte that is in no table."""
        return self.chunks[-1].end if self.chunks else 0


_details = msgspec.json.Decoder(_Details)


def fold(use_case: str, path: Path) -> None:
    """Make the tables of whole chunks that have none, up to where the journal is damaged. Call it within `reviewing`."""
    if not path.exists():
        return
    index = index_of(path)
    with path.open("rb") as file:
        file.seek(index.end)
        while len(lines := list(islice(file, LINES))) == LINES and lines[-1].endswith(b"\n"):
            before, content = LINES * len(index.chunks), b"".join(lines)
            chunk = Chunk(before, hashlib.sha256(content).hexdigest(), index.end, index.end + len(content))
            if not _is_there(path, chunk):
                try:
                    table = _table(use_case, path, lines, before)
                except CheckFailed:  # whoever reads these lines is told; they stay without a table
                    break
                _put(use_case, path, chunk, table)
            index.chunks.append(chunk)
    _keep(path, index)


def index_of(path: Path, whole: bool = False) -> Index:
    """The chunks of the journal that are in tables, up to the first that is not.

    If `whole`, they are those whose every byte is what the table was made from. So they are of a file that was put into the
    place of the journal, and of one that was written over: the last chunk, which is always looked at, lies elsewhere then.
    """
    facts = path.stat()
    index = Index((facts.st_dev, facts.st_ino))
    if not _index(path).exists():
        return index
    kept = msgspec.json.decode(_index(path).read_bytes(), type=Index)
    known = list(takewhile(lambda chunk: chunk.end <= facts.st_size and _is_there(path, chunk), kept.chunks))
    with path.open("rb") as file:
        if not whole and kept.file == index.file and all(_is_same(file, chunk) for chunk in known[-1:]):
            return Index(index.file, known)
        return Index(index.file, list(takewhile(lambda chunk: _is_same(file, chunk), known)))


def drop(path: Path, gone: Collection[int]) -> None:
    """These lines of the journal are about to lose their details, so no table may keep them. Call it within `reviewing`."""
    if not _index(path).parent.exists():
        return
    hit = {(number - 1) // LINES for number in gone}
    chunks = index_of(path).chunks if path.exists() else []
    _clear(path, [chunk for nth, chunk in enumerate(chunks) if nth not in hit])
    _index(path).unlink(missing_ok=True)  # lines are about to begin elsewhere


def places_of(use_case: str, path: Path, name: str) -> tuple[list[int], int]:
    """At which bytes of the journal the lines about a prediction begin, and from where on there are no tables."""
    import pyarrow.parquet as pq

    index, found = index_of(path), list[int]()
    for chunk in index.chunks:
        source = _read(use_case, path, chunk)
        rows = pq.read_table(source, columns=["at", "prediction_id"], filters=[("prediction_id", "==", name)])
        found += (chunk.begin + at for at in rows["at"].to_pylist())
    return sorted(found), index.end


def everything(use_case: str, path: Path) -> Any:
    """Every event as a pyarrow table with `COLUMNS`; answers are JSON, `people` how many of them.

    Every byte of the journal is looked at. Call it within `reviewing`.

    Raises:
        CheckFailed: a line that is in no table is no event, or is sealed and the key does not open it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        return _table(use_case, path, [], 0)
    index = index_of(path, whole=True)
    with path.open("rb") as file:
        file.seek(index.end)
        rest = [line for line in file if line.endswith(b"\n")]
    tables = [pq.read_table(_read(use_case, path, chunk)) for chunk in index.chunks]
    tables.append(_table(use_case, path, rest, LINES * len(tables)))
    return pa.concat_tables(tables)


def _table(use_case: str, path: Path, lines: Sequence[bytes], before: int) -> Any:
    """Of lines behind so many others; `number` counts from 1, `at` is the byte behind the first line's where one begins."""
    import pyarrow as pa

    kinds = {"number": pa.int64(), "at": pa.int64(), "people": pa.int64(), "time": pa.timestamp("us", "UTC")}
    rows = [*zip(*_rows(use_case, path, lines, before), strict=True)] or [()] * len(COLUMNS)
    arrays = [pa.array(values, kinds.get(name, pa.string())) for name, values in zip(COLUMNS, rows, strict=True)]
    return pa.table(arrays, names=COLUMNS).sort_by("prediction_id")


def _rows(use_case: str, path: Path, lines: Sequence[bytes], before: int) -> Iterator[tuple[Any, ...]]:
    at = 0
    for number, line in enumerate(lines, start=before + 1):
        read = decoded(path, number, line)
        text = details_of(use_case, path, number, read)
        try:
            details = _details.decode(text) if text else _Details()
        except msgspec.DecodeError as error:
            raise unreadable(path, number, error) from None
        answers = (bytes(details.model_answer).decode(), bytes(details.answer).decode())
        yield number, at, read.time, read.what, details.prediction_id, *answers, details.how, len(details.people)
        at += len(line)


def _put(use_case: str, path: Path, chunk: Chunk, table: Any) -> None:
    import pyarrow.parquet as pq

    sink, key = io.BytesIO(), cipher()
    pq.write_table(table, sink, row_group_size=ROWS, compression="zstd")
    plain, sealed = _places(path, chunk)
    made(plain.parent)
    content = sink.getvalue()
    if key is None:
        write_atomically(plain, content, mode=0o640)
    else:
        write_atomically(sealed, key.seal_bytes(content, _named(use_case, chunk)), mode=0o640)


def _read(use_case: str, path: Path, chunk: Chunk) -> Any:
    """What pyarrow reads as the table of a chunk.

    Raises:
        CheckFailed: it is sealed, and the key does not open it.
    """
    plain, sealed = _places(path, chunk)
    if not sealed.exists():
        return plain
    try:
        return io.BytesIO(required_cipher().open_bytes(sealed.read_bytes(), _named(use_case, chunk)))
    except SegmentError as error:
        raise CheckFailed(f"{sealed}: cannot be read: {error}") from None


def _keep(path: Path, index: Index) -> None:
    """Note the chunks; tables of others go."""
    place, content = _index(path), msgspec.json.encode(index)
    if not index.chunks or (place.exists() and place.read_bytes() == content):
        return
    write_atomically(place, content, mode=0o640)
    _clear(path, index.chunks)


def _clear(path: Path, chunks: Sequence[Chunk]) -> None:
    """Only the tables of these chunks stay."""
    known = {each.name for chunk in chunks for each in _places(path, chunk)} | {_index(path).name}
    for each in _index(path).parent.iterdir():
        if each.name not in known:
            each.unlink()


def _is_same(file: BinaryIO, chunk: Chunk) -> bool:
    file.seek(chunk.begin)
    return hashlib.sha256(file.read(chunk.end - chunk.begin)).hexdigest() == chunk.sha256


def _is_there(path: Path, chunk: Chunk) -> bool:
    return any(each.exists() for each in _places(path, chunk))


def _places(path: Path, chunk: Chunk) -> tuple[Path, Path]:
    """Where its table lies, and where it lies sealed."""
    folder = _index(path).parent
    name = f"{chunk.before}-{chunk.sha256}.parquet"
    return folder / name, folder / f"{name}.sealed"


def _index(path: Path) -> Path:
    return path.with_name("folded") / "index.json"


def _named(use_case: str, chunk: Chunk) -> str:
    return f"{name_of(use_case)}, folded {chunk.sha256}"
