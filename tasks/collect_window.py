"""Collect: the rows of a closed window, kept in the store."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.schema import UseCase
from serving.contract import Contract
from tasks.collected import keep_window
from tasks.values import Bounds, Window
from tasks.window import read_window


@task
def collect_window(use_case: UseCase, bounds: Bounds, contract: Contract) -> Window:
    """Keep a window's rows, or a sample of them, in the store."""
    table, asked, torn, refused = read_window(use_case, bounds, contract)
    labelled = table.num_rows - table["target"].null_count
    if torn:
        get_run_logger().warning("The prediction log has %s lines torn by a crash, never answered: cut off", torn)
    sample = f" of which a sample of {table.num_rows:,} is looked at" if asked > table.num_rows else ""
    get_run_logger().info("Window %s: %s rows%s, %s labelled", bounds.name, f"{asked:,}", sample, f"{labelled:,}")
    return Window(
        use_case=use_case.name,
        name=bounds.name,
        start=bounds.start,
        end=bounds.end,
        rows=asked,
        labelled=labelled,
        data=keep_window(use_case.name, table),
        refused=refused,
    )
