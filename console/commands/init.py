"""`slipway init`: from a table to a use case that can be released, with every choice explained. Writes one file."""

from __future__ import annotations

import re
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from configs.errors import InputError
from configs.files import write_atomically
from configs.forms import USE_CASE_NAME
from configs.inferred import read_inferred
from configs.load import parse_use_case, use_case_file
from configs.schema import Model
from configs.settings import made
from tasks.onboarding.propose import Proposal, propose
from tasks.onboarding.table import table_name
from tasks.onboarding.values import Column
from tasks.onboarding.written import as_yaml

ROOMY = 110  # characters a line, from which on there is a place for examples


def init(url: str, target: str, name: str | None, force: bool, screen: Console) -> None:
    """Look at the table, write the use case, and say what was decided and why.

    Raises:
        InputError: no use case can be made of it, or there is one of that name; nothing was written.
    """
    chosen = name or table_name(url)[:40]
    path = free_file(chosen, force)
    with screen.status("looking at the table") as status:
        proposal = propose(url, target, chosen, lambda doing: status.update(escape(doing)))
        text = as_yaml(proposal)
    explain(proposal, screen)
    parse_use_case(text, path.name)  # what does not load is never written
    made(path.parent)
    write_atomically(path, text.encode())
    screen.print(f"Written to {path}. Next:", soft_wrap=True, markup=False, highlight=False)
    screen.print(f"  slipway check {chosen}\n  slipway release {chosen}", markup=False, highlight=False)


def free_file(name: str, force: bool) -> Path:
    """Where the use case will be written.

    Raises:
        InputError: the name is not allowed, or taken.
    """
    if not re.fullmatch(USE_CASE_NAME, name):
        raise InputError(
            f"--name: {name!r} is not allowed; write lower case letters, digits, '-' and '_', a letter first, at most 40"
        )
    path = use_case_file(name)
    if path.exists() and not force:
        raise InputError(f"use case {name!r} exists already ({path}); give another --name, or --force to write it anew")
    if inferred := read_inferred(name):
        raise InputError(f"use case {name!r}: what was inferred for it would go on counting; {inferred.again}")
    return path


def explain(proposal: Proposal, screen: Console) -> None:
    """The columns, each with its kind and why; then what was decided for all of them."""
    table = Table(
        title=f"{proposal.url}: {proposal.table.size:,} rows", title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for heading in ("column", "kind", "in"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "column")
    table.add_column("why", overflow="fold", ratio=1)
    for heading in ("missing", "distinct"):
        table.add_column(heading, justify="right", no_wrap=True)
    roomy = screen.width >= ROOMY
    if roomy:
        table.add_column("example", overflow="ellipsis", no_wrap=True)
    for column in proposal.columns:
        cells = _row(column) if roomy else _row(column)[:-1]
        table.add_row(*map(escape, cells), style="" if column.is_feature else "dim")
    screen.print(table)
    for line in _decided(proposal):
        screen.print(line, markup=False, highlight=False)


def _row(column: Column) -> tuple[str, ...]:
    why = column.why_out or "; ".join(filter(None, (column.why, column.note)))
    if column.strange:
        why += f"; {column.strange:,} cannot be read as a number: missing"
    goes_in = "yes" if column.is_feature else "no"
    return column.name, column.kind, goes_in, why, f"{column.missing:,}", f"{column.distinct:,}", column.example


def _decided(proposal: Proposal) -> list[str]:
    gate, answer = proposal.gate, proposal.answer
    order = f"the time is {proposal.times.column!r}" if proposal.times else "no column says when a row happens"
    return [
        f"Target {proposal.target!r}: {answer.told}, so the problem is {answer.problem} ({answer.why})",
        f"Held out: {proposal.holdout}, about {proposal.held_out:,} rows ({order}). Watched in windows of {proposal.window}",
        f"Gate: {gate.metric} at least {gate.value:g}. Why: {gate.why}",
        *(f"Model: {model.estimator}, since it reads texts" for model in [proposal.model] if model != Model()),
        *(
            f"Note: {column.name!r}: {column.personal}"
            for column in proposal.columns
            if column.is_feature and column.personal
        ),
        *(f"Note: {note}" for note in proposal.notes),
    ]
