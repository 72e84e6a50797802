"""Maintain: the prediction log of a use case, compacted and cut to the age that it keeps; then its audit record, signed."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from tasks.audit.keep_checkpoint import keep_checkpoint
from tasks.log.maintain import maintain_log


@flow(name="maintain", flow_run_name="maintain-{use_case}")
def maintain(use_case: str = "flights") -> None:
    """Compact finished segments of the prediction log, drop days older than `log.keep`, and sign the audit record."""
    case = load_use_case(use_case)
    try:
        maintain_log(case)
    finally:  # a damaged segment is no reason not to sign what happened
        keep_checkpoint(case)
