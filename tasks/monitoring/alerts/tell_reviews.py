"""Tell the caller of a use case what people finally decided, by the webhook of `review`, until it is taken.

A decision goes into the outbox before the mark that says so; killed in between, the same is put there again.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger, task

from configs.schema import UseCase
from tasks.log.reviews import journal_path, reviewing
from tasks.monitoring.alerts.outbox import WAITS, Entry, Telling, channel_name, deliver, put, review_channel
from tasks.review.settle import mark, not_done, settle
from tasks.review.values import Final

OURS = "review-"  # what its entries of the outbox are called


@task
def settle_reviews(use_case: UseCase, waits: Sequence[float] = WAITS) -> dict[str, str]:
    """Make final what people let pass, and tell the caller; why, by channel that has not got all."""
    if use_case.review is None:
        return {}
    logger, left = get_run_logger(), settle(use_case)
    logger.info("Review: %s answers wait for people", f"{len(left):,}")
    failed = tell(use_case, waits)
    for channel, why in failed.items():
        logger.warning("Not told, tried again by the next run: %s: %s", channel, why)
    return failed


def tell(use_case: UseCase, waits: Sequence[float] = ()) -> dict[str, str]:
    """Put what is new into the outbox, and tell what is in there; why, by channel that has not got all.

    Where no webhook is declared, what was decided so far is told to nobody, also later.
    """
    path, channel = journal_path(use_case.name).with_name("told"), review_channel(use_case)
    with reviewing(use_case.name):
        finals = not_done(use_case.name, path)
        if channel is not None:
            for final in finals:
                message = _message(use_case, final, channel_name(channel))
                put(use_case.name, f"{OURS}{final.number:08d}", Entry(messages=[message]))
        if finals:
            mark(path, finals)
    return {} if channel is None else deliver(use_case, waits if finals else (), only=f"{OURS}*")


def _message(use_case: UseCase, final: Final, channel: str) -> Telling:
    """Its title goes into the history, which is for good, so it does not name the prediction."""
    return Telling(
        title=f"[review] {use_case.name}: decision {final.number}",
        reason=final.reason,
        link="",
        data=final.told(use_case.name),
        to={channel: ""},
    )
