"""Batch scoring: a file of any size in chunks, one Parquet part each, with the contract and bundle that serve requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import made
from serving.contract.contract import MEANING, Contract, ContractError
from serving.contract.heads.choose import head_of
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.csv_types import Known, csv_categories, csv_options
from tasks.data.frames import plain
from tasks.registry.values import Version

CHUNK_ROWS = 100_000


@task
def score_file(use_case: str, version: Version, source: str, destination: str) -> int:
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
    known = _known(contract) if path.suffix == ".csv" else {}
    folder = _claim(path, Path(destination), version)
    scorer, head, rows, logger = Scorer(bundle.model, contract), head_of(contract), 0, get_run_logger()
    total = path.stat().st_size
    artifact = cast(UUID, create_progress_artifact(progress=0.0, key=f"score-{use_case}"))
    for number, (frame, done) in enumerate(_chunks(path, known)):
        part = folder / f"part-{number:05d}.parquet"
        if not part.exists():
            try:
                read = csv_categories(frame, known)
                arrays = contract.encode_columns({n: plain(read[n], contract.meaning) for n in contract.names if n in read})
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
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"source {source!r}: is neither .csv nor .parquet")
    return path


def _known(contract: Contract) -> Known:
    """The categories of a CSV's columns; none for a model of before, which learned what pandas guessed, and so gets that."""
    columns = contract.columns if contract.meaning == MEANING else ()
    return {each.name: each.allowed or each.categories for each in columns if each.kind == "categorical"}


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


def _chunks(path: Path, known: Known) -> Iterator[tuple[Any, float]]:
    """Frames of at most `CHUNK_ROWS` rows, and how many bytes of the file lie behind each."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        try:
            file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise InputError(f"source {str(path)!r}: cannot be read: {error}") from None
        done = 0
        for batch in file.iter_batches(CHUNK_ROWS):
            done += batch.num_rows
            yield batch.to_pandas(), path.stat().st_size * done / file.metadata.num_rows
        return
    with path.open("rb") as raw:
        try:
            for frame in pd.read_csv(raw, chunksize=CHUNK_ROWS, **csv_options(known)):
                yield frame, raw.tell()
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise InputError(f"source {str(path)!r}: cannot be read: {error}") from None


def _write(part: Path, frame: Any, answers: dict[str, Any], version: str) -> None:
    temporary = part.with_suffix(".writing")
    frame.assign(**answers, model_version=version).to_parquet(temporary, index=False)
    temporary.replace(part)
