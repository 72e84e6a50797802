"""Ask: every version for the rows that are fair to all; what each answers is kept in the store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from prefect import get_run_logger, task

from configs.schema import UseCase
from tasks.comparing.asked_rows import column
from tasks.comparing.fair_rows import AS_IT_SERVES, CANDIDATE, NotThere, answers, common_contract, fair_rows
from tasks.comparing.pace import paced
from tasks.comparing.side import sides_of
from tasks.comparing.values import Basis
from tasks.data.frames import read_rows
from tasks.registry.values import Version
from tasks.registry.versions import versions
from tasks.store import put_parquet


@task
def ask(use_case: UseCase, compared: Sequence[Version]) -> Basis:
    """Find the rows and score them; where there are none that are fair to all, say why.

    Of the later versions of the use case the snapshots are looked through too: they have rows that came since.
    """
    sides, logger = sides_of(compared), get_run_logger()
    known = sorted(versions(use_case.name), key=lambda version: int(version.version), reverse=True)
    snapshots = [version.tags["snapshot"] for version in known if "snapshot" in version.tags]
    try:
        common = common_contract(sides)
        logger.info("Looking for rows that none of %s versions learned from, in %s snapshots", len(sides), len(snapshots))
        fair = fair_rows(sides, snapshots, common)
        logger.info("Found %s rows %s", f"{len(fair.rows):,}", fair.told)
        outputs = {side.number: answers(side, fair, common) for side in paced("Versions that answered", sides)}
    except NotThere as reason:
        logger.warning("Nothing compares: %s", reason)
        return Basis(told=str(reason))
    columns = {"row": pa.array(fair.rows), "target": pa.array(list(fair.target))}
    if time := common.time_column:
        columns["time"] = pa.array(read_rows(fair.snapshot, 0, fair.snapshot.rows, [time])[time].iloc[fair.rows])
    columns |= {column(number): _rows(each) for number, each in outputs.items()}
    return Basis(
        told=fair.told,
        answers=put_parquet("answers", pa.table(columns)),
        snapshot=fair.snapshot,
        rows=len(fair.rows),
        by={side.number: CANDIDATE if side.number in fair.kept else AS_IT_SERVES for side in sides},
    )


def _rows(outputs: np.ndarray) -> pa.Array:
    """Outputs of shape (rows, k) as lists of k numbers."""
    return pa.FixedSizeListArray.from_arrays(pa.array(outputs.astype(np.float64).ravel()), outputs.shape[1])
