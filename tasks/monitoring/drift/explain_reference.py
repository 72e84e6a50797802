"""Explain reference: what each column added to the answers of a version's reference rows, once a version."""

from __future__ import annotations

from configs.schema import UseCase
from tasks.explaining.sample import affordable, spaced
from tasks.monitoring.drift.reasons import attributed, knowable
from tasks.packaging.reference import comparable, reference_of
from tasks.packaging.values import BundleRef
from tasks.step import step
from tasks.store import put_parquet

ROWS = 20_000
MOST_CONDITIONS = 4 * 10**8  # over all rows and outputs: some seconds
FEWEST = 1000  # rows: fewer say too little of what weeks are like


@step
def explain_reference(use_case: UseCase, bundle: BundleRef) -> str | None:
    """The digest of a Parquet of attributions, of rows at even distances.

    None where the version has no reasons, the log knows no column of them, or they take too long, as a large forest's do.
    """
    import pandas as pd
    import pyarrow as pa

    use_case = comparable(use_case, bundle)
    known = knowable(use_case, bundle)
    if known is None or not known[0].described.columns:
        return None
    additive, contract, _ = known
    reference = pd.read_parquet(reference_of(bundle))
    rows = affordable(additive, ROWS, MOST_CONDITIONS // len(additive.intercept))
    if rows < min(FEWEST, len(reference)):
        return None
    found = attributed(additive, contract, spaced(reference, rows))
    return put_parquet("attributions", pa.Table.from_pandas(found, preserve_index=False))
