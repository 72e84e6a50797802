"""Maintain: the prediction log of a use case, compacted and cut to the age that it keeps."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from tasks.log.maintain import maintain_log


@flow(name="maintain", flow_run_name="maintain-{use_case}")
def maintain(use_case: str = "flights") -> None:
    """Compact finished segments of the prediction log to Parquet, and drop days older than `log.keep`."""
    maintain_log(load_use_case(use_case))
