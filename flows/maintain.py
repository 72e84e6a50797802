"""Maintain: what people let pass is settled, the prediction log compacted and cut to its age, the audit record signed."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from tasks.audit.keep_checkpoint import keep_checkpoint
from tasks.log.maintain import maintain_log
from tasks.monitoring.alerts.tell_reviews import settle_reviews


@flow(name="maintain", flow_run_name="maintain-{use_case}")
def maintain(use_case: str = "flights") -> None:
    """Settle reviews, compact finished segments of the log, drop days older than `log.keep`, and sign the audit record."""
    case = load_use_case(use_case)
    try:
        settle_reviews(case)
    finally:  # neither a rule that is none nor a damaged segment is a reason not to do the rest
        try:
            maintain_log(case)
        finally:
            keep_checkpoint(case)
