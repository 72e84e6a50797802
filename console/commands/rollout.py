"""`slipway rollout`: where a rollout stands, and what people say to it."""

from __future__ import annotations

from typing import get_args

from rich.console import Console
from rich.table import Table

from configs.errors import InputError
from configs.schema import UseCase
from tasks.rollouts.declared import declared_by
from tasks.rollouts.how_long import how_long, moment
from tasks.rollouts.page import page_address, page_path
from tasks.rollouts.say import say
from tasks.rollouts.state import last_rollout
from tasks.rollouts.tell import line
from tasks.rollouts.values import Said, State
from tasks.rollouts.words import words_of

WORDS: tuple[Said, ...] = get_args(Said)
COLOURS = {"better": "green", "worse": "red", "equivalent": "green", "undecided": "yellow"}


def spoken(case: UseCase, word: Said, reason: str, screen: Console) -> None:
    """Say the word to the rollout that is under way."""
    screen.print(line(declared_by(case), say(case, word, reason)), markup=False)


def show(case: UseCase, screen: Console) -> None:
    """Print where the rollout that is under way stands, or how the last one ended. Reads only."""
    state = last_rollout(case.name)
    if state is None:
        raise InputError(
            f"no rollout of {case.name!r} was ever begun; 'slipway rollout {case.name} start --version N' begins one"
        )
    declared = declared_by(case)
    screen.print(line(declared, state), markup=False, soft_wrap=True)
    screen.print(
        f"Champion: version {state.champion.version}. Begun {state.began:%Y-%m-%d %H:%M %Z}: {state.reason}", markup=False
    )
    if state.stage_began is not None and not state.ended:
        since = f"In this stage since {moment(state.stage_began)}. {how_long(declared, state)}"
        screen.print(since, markup=False, soft_wrap=True)
    screen.print(_stages(case, state))
    if state.look is not None:
        screen.print(_checks(state))
    for each in state.lost:
        screen.print(f"Version {each.version.version} is out: {each.out}", markup=False, soft_wrap=True)
    for word in words_of(state):
        screen.print(f"{word.at:%Y-%m-%d %H:%M} {word.by} said {word.said}: {word.reason}", markup=False)
    if (path := page_path(state)).exists():
        screen.print(f"Page with plots, as of the last look: {path}", markup=False, highlight=False, soft_wrap=True)
        screen.print(f"              or {page_address(state)}", markup=False, highlight=False, soft_wrap=True)


def _stages(case: UseCase, state: State) -> Table:
    table = Table(title="Stages", title_justify="left")
    for column in ("", "strategy", "what", "for"):
        table.add_column(column)
    for place, stage in enumerate(declared_by(case).stages):
        mark = "done" if place < state.stage or state.phase in ("finalising", "succeeded") else ""
        mark = "now" if place == state.stage and not mark and not state.ended else mark
        rest = stage.model_dump(exclude={"strategy", "lasts", "within", "warm"})
        length = getattr(stage, "lasts", None) or getattr(stage, "within", None) or getattr(stage, "warm", "")
        table.add_row(mark, stage.strategy, ", ".join(f"{k} {v}" for k, v in rest.items()), str(length))
    return table


def _checks(state: State) -> Table:
    assert state.look is not None
    title = f"Looked at {state.look.at:%Y-%m-%d %H:%M}: {state.look.requests:,} requests were the challenger's"
    table = Table(title=title, title_justify="left")
    for column in ("check", "verdict", "why"):
        table.add_column(column, overflow="fold")
    for each in state.look.verdicts:
        table.add_row(each.title, f"[{COLOURS[each.verdict]}]{each.verdict}[/]", each.reason)
    return table
