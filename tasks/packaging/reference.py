"""What a version was trained and judged on, as monitoring and gates need it: rows that stay in the store of their home.

A bundle is what moves, so no row is in it: its manifest names the digests under `data`. The reference keeps what the
prediction log keeps: a column that the log hashes or leaves out is not in it. A bundle from before holds both files itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import CheckFailed, InputError
from configs.schema import UseCase
from configs.settings import store
from serving.scoring.bundle import file_digest
from tasks.data.frames import read_rows
from tasks.data.values import Snapshot
from tasks.packaging.values import BundleRef
from tasks.store import put_parquet

REFERENCE_ROWS = 50_000
KINDS = {"reference": "references", "holdout": "scores"}


def keep_reference(use_case: UseCase, snapshot: Snapshot) -> str:
    """Keep rows of the training snapshot, in its order: what monitoring compares a window with. Returns their digest."""
    import pandas as pd
    import pyarrow as pa

    time = use_case.source.time_column
    names = [*use_case.watched, use_case.target.column, *([time] if time else [])]

    def column(name: str) -> Any:
        return read_rows(snapshot, 0, snapshot.rows, [name])[name]

    kept = reference_rows(column(time).to_numpy() if time else None, snapshot.rows)
    frame = pd.DataFrame({name: column(name).iloc[kept] for name in names})  # one at a time: few rows are kept
    return put_parquet("references", pa.Table.from_pandas(frame, preserve_index=False))


def reference_rows(times: np.ndarray | None, rows: int) -> np.ndarray:
    """Which rows to keep: all, or whole weeks at even distances, since windows without drift are made of neighbours.

    Without times, a seeded random choice.
    """
    if rows <= REFERENCE_ROWS:
        return np.arange(rows)
    if times is None:
        return np.sort(np.random.default_rng(0).permutation(rows)[:REFERENCE_ROWS])
    weeks, week = np.unique((times - times[0]) // np.timedelta64(7, "D"), return_inverse=True)
    kept = np.linspace(0, len(weeks) - 1, max(1, len(weeks) * REFERENCE_ROWS // rows)).round().astype(int)
    return np.flatnonzero(np.isin(week, kept))


def reference_of(bundle: BundleRef) -> Path:
    """The Parquet of a version's reference rows.

    Raises:
        InputError: this home does not have them.
        CheckFailed: they are not the rows that the bundle names.
    """
    return _kept(bundle, "reference")


def holdout_of(bundle: BundleRef) -> Path:
    """The Parquet of time, label and answer of every holdout row; raises as `reference_of` does."""
    return _kept(bundle, "holdout")


def comparable(use_case: UseCase, bundle: BundleRef) -> UseCase:
    """The use case, watching no more columns than the version's reference has.

    They differ where `log.sensitive` was changed since: what was not kept then cannot be compared with now.
    """
    import pyarrow.parquet as pq

    missing = set(use_case.watched) - set(pq.read_schema(reference_of(bundle)).names)
    rules = use_case.features.rules
    if missing and all(name in rules and rules[name].sensitive for name in missing):
        return use_case.model_copy(update={"log": use_case.log.model_copy(update={"sensitive": "omit"})})
    return use_case


def _kept(bundle: BundleRef, name: str) -> Path:
    inside = bundle.path / f"{name}.parquet"
    if inside.exists():
        return inside
    digest = json.loads((bundle.path / "manifest.json").read_text())["data"][name]
    path = store(KINDS[name]) / f"{digest}.parquet"
    if not path.exists():
        raise InputError(
            f"bundle {bundle.digest[:12]}: its {name} rows are not in this home ({path} is missing); they stay where the "
            "version was made, so monitor it there, or release it here"
        )
    if file_digest(path) != digest:
        raise CheckFailed(f"{path}: is not what bundle {bundle.digest[:12]} names (its SHA-256 differs); release again")
    return path
