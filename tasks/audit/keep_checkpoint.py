"""Keep a checkpoint: the step of maintenance that signs what has happened since the last one."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.schema import UseCase
from tasks.audit.checkpoint import Signed, sign_record


@task
def keep_checkpoint(use_case: UseCase) -> Signed:
    """Add what is new to the audit record, sign it, and tell the witness.

    Raises:
        CheckFailed: the record was changed since the last checkpoint, or the witness was not reached.
    """
    signed = sign_record(use_case.name)
    get_run_logger().info("Audit: %s entries, %s of them new, root %s", signed.size, signed.added, signed.root[:16])
    return signed
