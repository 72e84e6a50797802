"""Collect: the rows of a closed window, kept in the store."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.schema import UseCase
from serving.contract import Contract
from tasks.values import Bounds, Window, put_parquet
from tasks.window import read_window


@task
def collect_window(use_case: UseCase, bounds: Bounds, contract: Contract) -> Window:
    """Keep a window's rows in the store."""
    table, torn = read_window(use_case, bounds, contract)
    labelled = table.num_rows - table["target"].null_count
    if torn:
        get_run_logger().warning("The prediction log has %s lines torn by a crash, never answered: cut off", torn)
    get_run_logger().info("Window %s: %s rows, %s labelled", bounds.name, f"{table.num_rows:,}", f"{labelled:,}")
    return Window(
        use_case=use_case.name,
        name=bounds.name,
        start=bounds.start,
        end=bounds.end,
        rows=table.num_rows,
        labelled=labelled,
        data=put_parquet("windows", table),
    )
