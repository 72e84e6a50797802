"""Cases for gates: rows that the model was trained on, as a client would send them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import InputError
from serving.scoring.bundle import read_bundle
from tasks.data.values import Snapshot
from tasks.deploying.values import Release
from tasks.gates.checks import contract_of
from tasks.packaging.values import BundleRef

CASES = 200

Record = dict[str, Any]


def reference_records(release: Release) -> list[Record]:
    """Rows of the training snapshot, evenly spaced over time, as a client would send them.

    Raises:
        InputError: this home has neither the snapshot nor a bundle from before rows stayed in the store.
    """
    import duckdb

    contract, path = contract_of(release), _rows_of(BundleRef(digest=release.bundle))
    with duckdb.connect() as connection:
        rows = connection.read_parquet(str(path), file_row_number=True)  # a few of many rows, without reading them all
        ((count,),) = rows.count("*").fetchall()
        places = sorted({int(place) for place in np.linspace(0, count - 1, min(CASES, count))})
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in contract.names)
        found = rows.filter(f"file_row_number in {(*places, -1)}").order("file_row_number").project(names).to_arrow_table()
    return [
        {name: value for name, value in row.items() if value is not None and value == value} for row in found.to_pylist()
    ]


def _rows_of(bundle: BundleRef) -> Path:
    inside = bundle.path / "reference.parquet"
    if inside.exists():
        return inside
    recorded = read_bundle(bundle.path).manifest.lineage
    snapshot = Snapshot(digest=recorded["snapshot"], rows=recorded["rows"])
    if not snapshot.path.exists():
        raise InputError(
            f"snapshot {snapshot.digest[:12]} of bundle {bundle.digest[:12]} is not in the store, so there are no cases to "
            "ask with; 'slipway reproduce' reads it from the source again"
        )
    return snapshot.path
