"""Tell of a rollout: that it has ended, and why; and that it waits for a person. Each is told once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from prefect import get_run_logger, task

from configs.rollout import Approval, Rollout
from configs.schema import UseCase
from configs.settings import made
from tasks.monitoring.alerts.outbox import WAITS, Entry, Telling, audience, deliver, put
from tasks.rollouts.declared import declared_by
from tasks.rollouts.page import page_address
from tasks.rollouts.state import folder_of
from tasks.rollouts.values import State
from tasks.rollouts.words import the_pause, words_of

HOW = {
    "approval": ("waits for an approval", "approve", "reject"),
    "mismatch": ("is held, its shares are not those declared", "resume", "abort"),
    "undecided": ("waits for a person", "promote", "abort"),
}


class News(NamedTuple):
    """What people want to know; `key` is what it is kept under, once told."""

    key: str
    title: str
    reason: str


@task
def tell_rollout(use_case: UseCase, state: State, waits: Sequence[float] = WAITS) -> dict[str, str]:
    """Tell what is new of a rollout; why, by channel that has not got all."""
    failed = tell(use_case, state, waits)
    for channel, why in failed.items():
        get_run_logger().warning("Not told, tried again by the next look: %s: %s", channel, why)
    return failed


def tell(use_case: UseCase, state: State, waits: Sequence[float]) -> dict[str, str]:
    """Put what is new into the outbox, and tell what is in there; why, by channel that has not got all.

    Killed behind the outbox and before the mark, it puts the same there again.
    """
    news = news_of(declared_by(use_case), state)
    new = news is not None and not _mark(state, news.key).exists()
    if news is not None and new:
        put(use_case.name, f"rollout-{state.id}-{news.key}", Entry(messages=[_message(use_case, state, news)]))
        _mark(state, news.key).touch()
    return deliver(use_case, waits if new else ())


def news_of(declared: Rollout, state: State) -> News | None:
    """The end, for what a person is waited for (whoever paused it knows), or what is worse and takes nobody back."""
    version = state.who
    if state.ended:
        end = "has succeeded" if state.phase == "succeeded" else "was taken back"
        return News(state.phase, f"{version} {end}", state.outcome)
    if state.phase == "progressing" and state.look is not None and (worse := state.look.only_told):
        reason = "; ".join(each.reason for each in worse)
        return News(f"{state.look.stage + 1}-worse", f"{version} is worse, and goes on", reason)
    if state.phase != "waiting" or the_pause(words_of(state)):
        return None
    stage = declared.stages[min(state.stage, len(declared.stages) - 1)]
    held = state.look is not None and state.look.mismatch and state.look.mismatch in state.waits
    kind = "mismatch" if held else "approval" if isinstance(stage, Approval) else "undecided"
    title, yes, no = HOW[kind]
    how = f"'slipway rollout {state.use_case} {yes} --reason ...', or '{no}'"
    return News(f"{state.stage + 1}-{kind}", f"{version} {title}", f"stage {state.stage + 1}: {state.waits}. Say {how}")


def _message(use_case: UseCase, state: State, news: News) -> Telling:
    said = state.look.verdicts if state.look else []
    return Telling(
        title=f"[rollout] {use_case.name}: {news.title}",
        reason=news.reason,
        link=page_address(state),
        page="\n".join(f"{each.verdict}: {each.reason}" for each in said),
        data={
            "use_case": use_case.name,
            "rollout": state.id,
            "version": state.challenger.version,
            "cause": news.key,
            "reason": news.reason,
            "page": page_address(state),
            "verdicts": [each.model_dump(mode="json") for each in said],
        },
        to=audience(use_case, "warning"),
    )


def _mark(state: State, key: str) -> Path:
    return made(folder_of(state) / "told") / key
