"""Watch reasons: whether other columns move the answers of a window than moved those of the reference."""

from __future__ import annotations

import numpy as np
from prefect import get_run_logger, task

from configs.schema import UseCase
from configs.settings import store
from tasks.columns.choose import NUMBERS
from tasks.data.frames import logged_features
from tasks.explaining.sample import spaced
from tasks.log.values import Window
from tasks.monitoring.drift.columns import compare
from tasks.monitoring.drift.null import LARGEST_SHARE, OTHER_SHARE
from tasks.monitoring.drift.reasons import attributed, knowable, reason_drifts
from tasks.monitoring.drift.season import same_season, seasons
from tasks.monitoring.findings import reasons_before, told_reasons
from tasks.monitoring.values import ReasonFlow
from tasks.packaging.reference import comparable, reference_of
from tasks.registry.values import Version

LEAST_ROWS = 20  # of a window
TOO_LONG = "reasons of this model take too long, or the log keeps the values of none of its columns"


@task
def watch_reasons(use_case: UseCase, window: Window, version: Version, explained: str | None) -> ReasonFlow | None:
    """The distribution of each column's Shapley values beside that of the reference; None of a version without reasons.

    It is compared as values of columns are, with bounds that the reference's own weeks give, corrected over the columns. Of
    the window as large a share of rows is explained as of the reference, so that a run of so many took as long.

    Args:
        use_case: In terms of the version.
        window: The rows that it answered.
        version: Whose reasons they are.
        explained: The digest of the reference's attributions, where there are any.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    use_case = comparable(use_case, version.bundle)
    known, rules = knowable(use_case, version.bundle), use_case.monitoring
    if known is None:
        return None
    if explained is None:
        return ReasonFlow(not_looked_at=TOO_LONG)
    (additive, contract, unknown), time = known, use_case.source.time_column
    before = pd.read_parquet(store("attributions") / f"{explained}.parquet")
    path, logged = reference_of(version.bundle), pd.read_parquet(window.path)
    times = spaced(pd.read_parquet(path, columns=[time]), len(before))[time].to_numpy() if time else None
    rows = sampled(len(logged), len(before), pq.read_metadata(path).num_rows)
    if rows < LEAST_ROWS:
        return ReasonFlow(not_looked_at=f"too few rows: {rows} beside {len(before):,} of the reference", unknown=unknown)
    before, times, _ = same_season(before, times, rules.season, seasons(logged["time"].to_numpy(), rules.season))
    now = attributed(additive, contract, spaced(logged_features(logged, use_case.watched), rows))
    columns, blocks = compare(rules, now, before, times, dict.fromkeys(before, NUMBERS), OTHER_SHARE)
    flow = ReasonFlow(
        columns=reason_drifts({name: column.score for name, column in columns.items()}, now, before),
        scale=additive.described.scale,
        rows=len(now),
        reference_rows=len(before),
        blocks=blocks,
        unknown=unknown,
        alarms=rules.reasons == "alarm",
    )
    get_run_logger().info("Window %s: %s", window.name, told_reasons(flow))
    return flow.model_copy(update={"persists": _persists(use_case, window, version, flow.highest > 1)})


def sampled(window: int, kept: int, reference: int) -> int:
    """How many rows of a window are explained: as large a share as of the reference, at most a third of what is kept of it.

    >>> sampled(2000, 20_000, 50_000), sampled(50_000, 20_000, 50_000)
    (800, 6666)
    """
    return min(round(window * kept / reference), int(kept * LARGEST_SHARE))


def _persists(use_case: UseCase, window: Window, version: Version, over: bool) -> bool:
    """Whether enough windows of this version in a row, this one the last, were over the bound."""
    needed, among = use_case.monitoring.needed
    earlier = [flow.highest > 1 for flow in reasons_before(use_case.name, window, version.version)]
    return bool(np.sum(earlier[-(among - 1) :] if among > 1 else []) + over >= needed)
