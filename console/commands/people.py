"""`slipway people`: who is who on this home, and what they may do."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from configs.errors import InputError, nearest

app = typer.Typer(
    no_args_is_help=True,
    help="Who is who, and what they may do: list, add, remove. Without a table, everybody may do everything.",
)
screen = Console()


@app.command("list")
def list_() -> None:
    """Everybody in the table, and who you are."""
    from tasks.people import people, who

    table = Table()
    for column in ("name", "roles", "account", "keys"):
        table.add_column(column)
    for each in people():
        table.add_row(each.name, ", ".join(each.roles), each.account, ", ".join(each.keys))
    screen.print(table if table.row_count else "There is no table of people, so everybody may do everything")
    screen.print(f"You are {who().name}", markup=False)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="How the history calls them.")],
    role: Annotated[list[str], typer.Option(help="viewer, operator, approver, reviewer or auditor; may be repeated.")],
    account: Annotated[str, typer.Option(help="Their login on this machine.")] = "",
    key: Annotated[list[str] | None, typer.Option(help="The id of an API key of theirs; may be repeated.")] = None,
) -> None:
    """Put somebody into the table, or change what stands there. The first one in it should be an operator: you.

    An operator releases, retrains, deploys, retires, makes and revokes keys, erases records, begins, pauses, resumes,
    promotes and aborts rollouts, rolls back and quarantines; an approver approves and rejects; an auditor reads what is held
    on a person, and places and lifts legal holds. Whoever uses an API key to be known has it in SLIPWAY_KEY. For example:

    slipway people add ann --role operator --account ann

    slipway people add bob --role approver --key 1a2b3c4d
    """
    from tasks.people import ROLES, Person, may, put_person

    may("operator", "change who may do what")
    for given in role:
        if given not in ROLES:
            raise InputError(f"--role {given!r}; {nearest(given, ROLES)}")
    if not account and not key:
        raise InputError(f"nobody could tell that somebody is {name}: give --account, --key or both")
    put_person(Person(name=name, roles=tuple(dict.fromkeys(role)), account=account, keys=tuple(key or ())))
    screen.print(f"{name} is in the table", markup=False)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="As 'slipway people list' calls them.")]) -> None:
    """Take somebody out of the table; what they said stays in the history."""
    from tasks.people import drop_person, may

    may("operator", "change who may do what")
    drop_person(name)
    screen.print(f"{name} is not in the table any more", markup=False)
