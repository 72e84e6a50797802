"""Batch scoring: rows of any number in chunks, one Parquet part each, with the contract and bundle that serve requests."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import msgspec
import numpy as np
from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from configs.errors import InputError
from configs.files import write_atomically
from configs.schema import CsvFormat
from configs.settings import made, use_case_home
from serving.contract.contract import ContractError
from serving.contract.heads.choose import head_of
from serving.reasons.reasons import Reasons, reasons_of
from serving.scoring.bundle import Bundle, read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.frames import encode_columns
from tasks.processors import processors
from tasks.registry.values import Version
from tasks.scoring.answers import WRITTEN, check_free, is_folder, join
from tasks.scoring.rows import Source

EXPLAINED_ROWS = 1000  # at a time


@task
def score_file(
    use_case: str,
    version: Version,
    source: str,
    destination: str,
    form: CsvFormat,
    query: str | None = None,
    explain: bool = False,
) -> int:
    """Write the source's columns, what the model's head says of each row, the version, and where asked for the reasons.

    A part is moved into place when it is whole, so a run that is stopped goes on behind the last part. The folder remembers
    the source and the bundle in `_job.json`, and refuses another; readers of Parquet folders pass over such names. For a
    file or a table the parts lie in the home until all are there.

    Raises:
        InputError: an unreadable source, a destination that is there or of another job, or a row that the contract
            does not allow (by its number in the file; parts before it stay); the version gives no reasons.
    """
    if not source or not destination:
        raise InputError(f"score needs a 'source' and a 'destination': {WRITTEN}")
    rows_of = Source(source, query)
    job = {**rows_of.identity, "bundle": version.bundle.digest, **({"explain": True} if explain else {})}
    if is_folder(destination):
        folder = _claim(Path(destination), job)
        _finished(folder, destination, query)
        return _score(use_case, version, rows_of, folder, form, explain)
    check_free(destination)
    name = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:16]
    folder = _claim(use_case_home(use_case) / "scoring" / name, job)
    if query is not None:  # it may give other rows now
        shutil.rmtree(folder)
        folder = _claim(folder, job)
    rows = _score(use_case, version, rows_of, folder, form, explain)
    join(sorted(folder.glob("part-*.parquet")), destination)
    shutil.rmtree(folder)
    return rows


def _finished(folder: Path, destination: str, query: str | None) -> None:
    """Parts of a query that was asked before are no part of the answer to it now.

    Raises:
        InputError: there are some.
    """
    if query is not None and any(folder.glob("part-*.parquet")):
        raise InputError(f"destination {destination!r}: holds rows that the query gave before; name another folder")


def _score(use_case: str, version: Version, source: Source, folder: Path, form: CsvFormat, explain: bool) -> int:
    bundle, logger = read_bundle(version.bundle.path), get_run_logger()
    scorer, head = Scorer(bundle.model, bundle.contract), head_of(bundle.contract)
    reasons = _reasons(bundle, version.version) if explain else None
    artifact = cast(UUID, create_progress_artifact(progress=0.0, key=f"score-{use_case}"))

    def answered(part: Path, frame: Any, before: int) -> None:
        if part.exists():
            return
        try:
            arrays = encode_columns(bundle.contract, frame)
        except ContractError as error:
            where = "" if error.row is None else f" row {before + error.row},"
            raise InputError(f"{source.location}:{where} column {error.column!r}: {error.problem}") from None
        outputs = scorer.outputs(arrays)
        told = {} if reasons is None else {"reasons": _told(reasons, arrays, outputs)}
        _write(part, frame, {**head.columns(outputs), **told}, version.version)

    def parts() -> Iterator[tuple[Any, ...]]:
        rows = 0
        for number, (frame, done) in enumerate(source.chunks(bundle.contract, form)):
            yield folder / f"part-{number:05d}.parquet", frame, rows, done
            rows += len(frame)

    rows = 0
    for _, frame, before, done in _at_once(lambda part, frame, before, _: answered(part, frame, before), parts()):
        rows = before + len(frame)
        update_progress_artifact(artifact, progress=min(100.0, 100 * done))
        logger.info("%s rows scored", f"{rows:,}")
    if not rows:
        raise InputError(f"{source.location}: has no rows")
    summary = {"rows": rows, "parts": len(list(folder.glob("part-*.parquet"))), "version": version.version}
    write_atomically(folder / "_summary.json", json.dumps(summary, indent=1).encode())
    return rows


def _reasons(bundle: Bundle, version: str) -> Reasons:
    if not bundle.reasons:
        raise InputError(f"--explain: version {version} gives no reasons: its bundle holds nothing to give them from")
    return reasons_of(bundle.reasons, bundle.codes, bundle.contract)


def _told(reasons: Reasons, arrays: dict[str, np.ndarray], outputs: np.ndarray) -> list[str]:
    """Of each row what an answer of the server has, as JSON."""
    told: list[str] = []
    for start in range(0, len(outputs), EXPLAINED_ROWS):
        part = slice(start, start + EXPLAINED_ROWS)
        found = reasons.told({name: array[part] for name, array in arrays.items()}, outputs[part])
        told += [msgspec.json.encode(each).decode() for each in found]
    return told


def _at_once(call: Callable[..., None], each: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """What was called with, in its order, a thread a processor: graphs and Parquet are worked on outside Python's lock.

    As many wait as are worked on, so that memory does not grow with the source.
    """
    threads = processors()
    waiting: deque[tuple[Future[None], tuple[Any, ...]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for arguments in each:
                waiting.append((pool.submit(call, *arguments), arguments))
                if len(waiting) > 2 * threads:
                    yield _ended(waiting)
            while waiting:
                yield _ended(waiting)
        finally:
            pool.shutdown(cancel_futures=True)


def _ended(waiting: deque[tuple[Future[None], tuple[Any, ...]]]) -> tuple[Any, ...]:
    future, arguments = waiting.popleft()
    future.result()
    return arguments


def _claim(folder: Path, job: dict[str, Any]) -> Path:
    """Make the folder this job's own, or go on with it."""
    mark = made(folder) / "_job.json"
    if mark.exists() and json.loads(mark.read_text()) != job:
        raise InputError(f"destination {str(folder)!r}: holds the answers of another file or version; name another folder")
    if not mark.exists() and any(folder.iterdir()):
        raise InputError(f"destination {str(folder)!r}: is not empty; name another folder")
    write_atomically(mark, json.dumps(job, indent=1).encode())
    return folder


def _write(part: Path, frame: Any, answers: dict[str, Any], version: str) -> None:
    temporary = part.with_suffix(".writing")
    columns = {name: _nullable(values) for name, values in answers.items()}
    frame.assign(**columns, model_version=version).to_parquet(temporary, index=False)
    temporary.replace(part)


def _nullable(values: Any) -> Any:
    """What is masked as nulls of the type of the others, so that every part has the same, whatever it holds."""
    import pandas as pd
    import pyarrow as pa

    return pd.arrays.ArrowExtensionArray(pa.array(values)) if np.ma.isMaskedArray(values) else values
