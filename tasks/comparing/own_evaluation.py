"""Own evaluation: what the holdout of each version gave its candidate. Other rows for each, so nothing to compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from prefect import task

from configs.errors import CheckFailed, InputError
from tasks.comparing.side import Side, sides_of
from tasks.comparing.values import Basis, Own
from tasks.packaging.reference import holdout_of
from tasks.registry.values import Version


@task
def own_evaluation(compared: Sequence[Version], basis: Basis) -> list[Own]:
    """Only where no rows are fair to all."""
    return [] if basis.answers else [_own(side) for side in sides_of(compared)]


def _own(side: Side) -> Own:
    import pandas as pd

    try:
        scores = pd.read_parquet(holdout_of(side.version.bundle))
    except (InputError, CheckFailed) as error:
        return Own(version=side.number, rows=0, metrics={}, told=str(error))
    target, judged = side.problem.known(scores["target"]), side.problem.read(scores[side.problem.column])
    found = {name: metric.value(target, judged) for name, metric in side.problem.metrics.items()}
    metrics = {name: None if np.isnan(value) else float(value) for name, value in found.items()}
    return Own(version=side.number, rows=len(scores), metrics=metrics)
