"""Maintain: what people let pass is settled, the log compacted and cut to its age, the record signed, the audit run."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from tasks.audit.keep_checkpoint import keep_checkpoint
from tasks.log.maintain import maintain_log
from tasks.monitoring.alerts.tell_reviews import settle_reviews
from tasks.monitoring.run_audit import run_audit


@flow(name="maintain", flow_run_name="maintain-{use_case}")
def maintain(use_case: str = "flights") -> None:
    """Settle reviews, compact the log, drop its days older than `log.keep`, sign the audit record, and run the audit."""
    case = load_use_case(use_case)
    try:
        settle_reviews(case)
    finally:  # neither a rule that is none nor a damaged segment is a reason not to do the rest
        try:
            maintain_log(case)
        finally:
            try:
                keep_checkpoint(case)
            finally:
                run_audit(case)
