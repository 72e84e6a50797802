"""`slipway keys`: who may ask a use case's server, effective at once and without a restart."""

from __future__ import annotations

from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.table import Table

from configs.errors import InputError, nearest
from configs.load import load_use_case
from serving.security.keys import Role

app = typer.Typer(no_args_is_help=True, help="API keys of a use case: create, list, revoke. Running servers follow at once.")
screen = Console()
UseCaseName = Annotated[str, typer.Argument(help="A use case in configs/.")]


@app.command()
def create(
    use_case: UseCaseName,
    name: Annotated[str, typer.Argument(help="Who will use it, e.g. checkout; the log names it as the caller.")],
    role: Annotated[list[str] | None, typer.Option(help="predict, feedback or admin; may be repeated.")] = None,
    rate: Annotated[float | None, typer.Option(help="Requests a second at most.", min=0.01)] = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    from tasks.deploying.keys import create_key
    from tasks.deploying.settings import needs_keys
    from tasks.people import may

    may("operator", "make a key")
    case, known = load_use_case(use_case), get_args(Role)
    roles = tuple(dict.fromkeys(role or ["predict"]))
    for given in roles:
        if given not in known:
            raise InputError(f"--role {given!r}; {nearest(given, known)}")
    needed = needs_keys(case)
    text = create_key(case.name, name, roles, rate)  # type: ignore[arg-type]
    print(text)  # alone on standard output, so that a script can keep it
    note = Console(stderr=True)
    note.print("This is the only time that the key is shown. Send it as 'Authorization: Bearer KEY'")
    if not needed:
        note.print(f"Servers here let everybody in until configs/{case.name}.yaml says deploy.authentication: on")


@app.command("list")
def list_(use_case: UseCaseName) -> None:
    """Every key: its name, roles and rate, and since when it counts."""
    from tasks.deploying.keys import list_keys

    table = Table()
    for column in ("name", "id", "roles", "requests a second", "created", "revoked"):
        table.add_column(column)
    for key in list_keys(load_use_case(use_case).name):
        rate = "" if key.rate is None else f"{key.rate:g}"
        table.add_row(key.name, key.id, ", ".join(key.roles), rate, key.created, key.revoked or "")
    screen.print(table if table.row_count else f"No key yet: slipway keys create {use_case} NAME")


@app.command()
def revoke(use_case: UseCaseName, name: Annotated[str, typer.Argument(help="The key's name or id.")]) -> None:
    """Take a key's rights away; servers refuse it within a second."""
    from tasks.deploying.keys import revoke_key
    from tasks.people import may

    may("operator", "revoke a key")
    gone = revoke_key(load_use_case(use_case).name, name)
    screen.print(f"Key {gone.name} ({gone.id}) is revoked")
