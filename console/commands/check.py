"""`slipway check`: everything that is wrong with a use case, before anything is run. Reads only."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from tasks.onboarding.check import check as checked


def check(name: str, screen: Console) -> None:
    """Print a line for each problem and end with status 2, or a short summary.

    Raises:
        InputError: there is no such use case.
    """
    with screen.status(f"checking {name}") as status:
        found = checked(name, lambda doing: status.update(escape(doing)))
    if found.problems:
        print("\n".join(found.problems), file=sys.stderr)
        raise typer.Exit(2)
    if found.inferred:
        screen.print(f"What {name} leaves to its table; what its file declares wins, and all of this may be pasted there:\n")
        screen.print(found.inferred, markup=False, highlight=False, soft_wrap=True)
    for line in found.told:
        screen.print(line, markup=False, highlight=False, soft_wrap=True)
    screen.print(f"Nothing is wrong with {name}. Next: slipway release {name}", markup=False, highlight=False)
