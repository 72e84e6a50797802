"""Batch scoring: a file of any size in chunks, one Parquet part each, with the contract and bundle that serve requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from configs.errors import InputError
from configs.files import write_atomically
from configs.schema import CsvFormat
from configs.settings import made
from serving.contract.contract import Contract, ContractError
from serving.contract.heads.choose import head_of
from serving.contract.spelling import SPELLED
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
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
from tasks.data.files import CSV, PARQUET, kind_of
from tasks.data.frames import frame_of, plain
from tasks.registry.values import Version

CHUNK_ROWS = 100_000


@task
def score_file(use_case: str, version: Version, source: str, destination: str, form: CsvFormat) -> int:
    """Write `part-NNNNN.parquet` files of the source's columns, what the model's head says of each row, and the version.

    A part is moved into place when it is whole, so a run that is stopped goes on behind the last part. The folder remembers
    the source and the bundle in `_job.json`, and refuses another; readers of Parquet folders pass over such names.

    Raises:
        InputError: an unreadable source, a folder of another job, or a row that the contract
            does not allow (by its number in the file; parts before it stay).
    """
    path = _check(source, destination)
    bundle = read_bundle(version.bundle.path)
    contract = bundle.contract
    declared = _declared(contract)
    folder = _claim(path, Path(destination), version)
    scorer, head, rows, logger = Scorer(bundle.model, contract), head_of(contract), 0, get_run_logger()
    total = path.stat().st_size
    artifact = cast(UUID, create_progress_artifact(progress=0.0, key=f"score-{use_case}"))
    for number, (frame, done) in enumerate(_chunks(path, declared, form)):
        part = folder / f"part-{number:05d}.parquet"
        if not part.exists():
            try:
                given = {n: plain(frame[n], contract.meaning) for n in contract.names if n in frame}
                arrays = contract.encode_columns(given)
            except ContractError as error:
                where = "" if error.row is None else f" row {rows + error.row},"
                raise InputError(f"{source}:{where} column {error.column!r}: {error.problem}") from None
            _write(part, frame, head.columns(scorer.outputs(arrays)), version.version)
        rows += len(frame)
        update_progress_artifact(artifact, progress=min(100.0, 100 * done / max(total, 1)))
        logger.info("%s rows scored", f"{rows:,}")
    if not rows:
        raise InputError(f"{source}: has no rows")
    summary = {"rows": rows, "parts": len(list(folder.glob("part-*.parquet"))), "version": version.version}
    write_atomically(folder / "_summary.json", json.dumps(summary, indent=1).encode())
    return rows


def _check(source: str, destination: str) -> Path:
    if not source or not destination:
        raise InputError("score needs a 'source' file and a 'destination' folder")
    path = Path(source)
    if not path.is_file():
        raise InputError(f"source {source!r}: no such file")
    if path.suffix not in (*CSV, *PARQUET):
        raise InputError(f"source {source!r}: is neither .csv nor .parquet")
    return path


def _declared(contract: Contract) -> Declared:
    """What the contract says of a CSV's columns. Models of before learned categories as they were guessed, and get that."""
    texts: dict[str, Any] = {
        c.name: c.from_csv for c in contract.columns if c.dtype == "string" and contract.meaning >= SPELLED
    }
    missing = frozenset(token for column in contract.columns for token in column.missing)
    numbers = frozenset(column.name for column in contract.columns if column.dtype == "float32")
    return Declared(numbers, texts, missing, frozenset(contract.names) - texts.keys())


def _claim(path: Path, destination: Path, version: Version) -> Path:
    """Make the folder this job's own, or go on with it."""
    stat = path.stat()
    job = {
        "source": str(path.resolve()),
        "bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "bundle": version.bundle.digest,
    }
    mark = made(destination) / "_job.json"
    if mark.exists() and json.loads(mark.read_text()) != job:
        raise InputError(
            f"destination {str(destination)!r}: holds the answers of another file or version; name another folder"
        )
    if not mark.exists() and any(destination.iterdir()):
        raise InputError(f"destination {str(destination)!r}: is not empty; name another folder")
    write_atomically(mark, json.dumps(job, indent=1).encode())
    return destination


def _chunks(path: Path, declared: Declared, form: CsvFormat) -> Iterator[tuple[Any, float]]:
    """Frames of at most `CHUNK_ROWS` rows, and how many bytes of the file lie behind each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind_of(path.name) in PARQUET:
        try:
            file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise InputError(f"source {str(path)!r}: cannot be read: {error}") from None
        done = 0
        for batch in file.iter_batches(CHUNK_ROWS):
            done += batch.num_rows
            yield frame_of(pa.Table.from_batches([batch])), path.stat().st_size * done / file.metadata.num_rows
        return
    first = 0
    with path.open("rb") as raw:
        for table in _csv_tables(path, raw, form):
            try:
                yield frame_of(typed(table, declared, form)), raw.tell()
            except WrongField as error:
                raise InputError(f"{path}: row {first + error.row}, column {error.column!r}: {error.problem}") from None
            first += table.num_rows


def _csv_tables(path: Path, raw: BinaryIO, form: CsvFormat) -> Iterator[Any]:
    """Tables of texts of `CHUNK_ROWS` rows; the last may have fewer."""
    import pyarrow as pa

    where = f"source {str(path)!r}"
    head = raw.read(HEAD)
    raw.seek(0)
    encoding = encoding_of(head, form)
    delimiter = delimiter_of(where, head.decode(encoding, errors="ignore").encode(), form)
    with path.open(encoding=encoding, newline="", errors="replace") as text:
        header = header_of(text, delimiter)
    waiting: list[Any] = []
    try:
        for table in text_tables(where, raw, header, delimiter, encoding):
            waiting = [pa.concat_tables([*waiting, table])]
            while waiting[0].num_rows > CHUNK_ROWS:
                yield waiting[0].slice(0, CHUNK_ROWS)
                waiting = [waiting[0].slice(CHUNK_ROWS)]
    except Uneven:
        with path.open(encoding=encoding, newline="") as text:
            raise InputError(f"{where}: cannot be read: {uneven(text, delimiter)}") from None
    yield from (table for table in waiting if table.num_rows)


def _write(part: Path, frame: Any, answers: dict[str, Any], version: str) -> None:
    temporary = part.with_suffix(".writing")
    frame.assign(**answers, model_version=version).to_parquet(temporary, index=False)
    temporary.replace(part)
