"""`slipway plan`: the difference between what should run and what runs. Reads only."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from configs.schema import UseCase
from tasks.containers.images import wanted_image
from tasks.deploying.reconcile import describe, difference, observe
from tasks.gates.rehearsal import passed_before
from tasks.registry.versions import get_version, the_champion


def show(case: UseCase, version: str | None, screen: Console) -> None:
    """Print the changes that deploying the version would make, in their order."""
    target = get_version(case.name, version) if version else the_champion(case.name)
    image = wanted_image(case, target)
    wanted = describe(case, target, image)
    image_there = image.platform == "local" or bool(image.digest)
    changes = difference(wanted, image_there, observe(case.name))
    if not changes:
        screen.print(f"{case.name} version {target.version} runs as it should: {wanted.name}. Nothing to change")
        return
    table = Table(title=f"{case.name} version {target.version}: slipway deploy would", title_justify="left")
    for column in ("", "what", "detail"):
        table.add_column(column, overflow="fold")
    for change in changes:
        table.add_row(change.action, change.subject, change.detail)
    screen.print(table)
    screen.print(
        "The gates were passed before"
        if passed_before(case, wanted)
        else "The gates come first: a rehearsal without traffic"
    )
