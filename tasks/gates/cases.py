"""Cases for gates: rows that the model was trained on, as a client would send them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.gates.checks import contract_of
from tasks.values import BundleRef, Release

CASES = 200

Record = dict[str, Any]


def reference_records(release: Release) -> list[Record]:
    """Reference rows, evenly spaced over time, as a client would send them."""
    import pyarrow.parquet as pq

    contract = contract_of(release)
    table = pq.read_table(BundleRef(digest=release.bundle).path / "reference.parquet", columns=list(contract.names))
    rows = table.take(np.linspace(0, table.num_rows - 1, min(CASES, table.num_rows)).astype(int)).to_pylist()
    return [{name: value for name, value in row.items() if value is not None and value == value} for row in rows]
