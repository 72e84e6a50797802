"""Maintain the prediction log: what lies in a bucket comes home, then compaction, then retention."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.errors import CheckFailed, InputError
from configs.schema import UseCase
from configs.settings import prediction_log
from tasks.log.compact import Compaction, compact
from tasks.log.files import maintaining
from tasks.log.pull import Pulled, pull
from tasks.log.retain import drop_old


@task
def maintain_log(use_case: UseCase) -> Compaction:
    """Pull what lies in the bucket, where there is one, compact what is finished, then drop what is too old.

    Raises:
        CheckFailed: naming damaged segments, which were left as they are.
        InputError: the bucket cannot be read; the rest is done all the same.
    """
    logger = get_run_logger()
    with maintaining(prediction_log(use_case.name)):
        pulled, problem = _pulled(use_case)
        done = compact(use_case.name)
        days = drop_old(use_case)
    logger.info("%s records of %s segments are Parquet now", f"{done.records:,}", done.segments)
    if done.torn_bytes:
        logger.warning("%s bytes torn by crashes, never answered, were cut off", done.torn_bytes)
    if days:
        logger.info("Dropped the records of %s days: older than %s", len(days), use_case.log.keep)
    if pulled.objects:
        logger.info("%s records of %s objects came home", f"{pulled.records:,}", f"{pulled.objects:,}")
    if damaged := [*pulled.damaged, *done.damaged]:
        raise CheckFailed(f"damaged and left alone: {'; '.join(damaged)}")
    if problem is not None:
        raise problem
    return done


def _pulled(use_case: UseCase) -> tuple[Pulled, InputError | None]:
    """What came home; a bucket that is away is told when the rest is done."""
    try:
        return (pull(use_case) if use_case.log.bucket else Pulled()), None
    except InputError as error:
        return Pulled(), error
