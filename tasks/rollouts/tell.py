"""Where a rollout stands, for people: a line, and a page and a Prefect artifact that every look refreshes."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact

from configs.rollout import Rollout
from configs.schema import UseCase
from tasks.rollouts.declared import declared_by
from tasks.rollouts.how_long import how_long, moment
from tasks.rollouts.page import page_address, write_page
from tasks.rollouts.values import State
from tasks.rollouts.words import words_of


@task
def told(use_case: UseCase, state: State) -> str:
    """One line, the page with plots, and the artifact `rollout-NAME`, which leads to it."""
    declared = declared_by(use_case)
    write_page(declared, state, line(declared, state))
    link = f"[Every check over time]({page_address(state)})"
    create_markdown_artifact(key=f"rollout-{use_case.name}", markdown=f"{page(declared, state)}\n\n{link}")
    return line(declared, state)


def line(declared: Rollout, state: State) -> str:
    """The challenger, the stage, and what it waits for or how it ended."""
    who = f"{state.who} of {state.use_case}"
    if state.ended:
        return f"{who}: {state.phase}: {state.outcome}"
    stage = declared.stages[min(state.stage, len(declared.stages) - 1)]
    where = f"stage {state.stage + 1} of {len(declared.stages)} ({stage.strategy}), {state.phase}"
    return f"{who}: {where}{f': {state.waits}' if state.waits else ''}"


def page(declared: Rollout, state: State) -> str:
    """The same with every check of the last look and every word that a person said, in Markdown."""
    text = [f"# {line(declared, state)}", f"Champion: version {state.champion.version}. Began {state.began:%Y-%m-%d %H:%M}."]
    if state.stage_began is not None and not state.ended:
        text.append(f"In this stage since {moment(state.stage_began)}. {how_long(declared, state)}")
    if state.look is not None:
        look = state.look
        text.append(f"Looked at {look.at:%Y-%m-%d %H:%M}, {look.requests:,} requests were the challenger's. {look.mismatch}")
        text.append("| check | verdict | why |\n|---|---|---|")
        text[-1] += "".join(f"\n| {each.title} | **{each.verdict}** | {each.reason} |" for each in look.verdicts)
    text += [f"- version {each.version.version} is out: {each.out}" for each in state.lost]
    text += [f"- {word.at:%Y-%m-%d %H:%M} {word.by}: {word.said}: {word.reason}" for word in words_of(state)]
    return "\n\n".join(text)
