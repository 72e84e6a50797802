"""`slipway log`: what is done to a prediction log beside appending to it. Servers may go on writing meanwhile."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from configs.errors import CheckFailed, InputError
from configs.load import load_use_case
from configs.settings import prediction_log

app = typer.Typer(no_args_is_help=True, help="The prediction log: verify, pull, compact, and erase one subject's records.")
screen = Console()
UseCaseName = Annotated[str, typer.Argument(help="A use case in configs/.")]


@app.command()
def verify(use_case: UseCaseName) -> None:
    """Read every file of the log again and hold it against its checksums. Status 1 where one is damaged."""
    from tasks.log.verify import verify as verified

    table = Table()
    for column in ("file", "records", "MB", ""):
        table.add_column(column, overflow="fold")
    files = verified(load_use_case(use_case).name)
    for file in files:
        style = "red" if file.damaged else None
        table.add_row(file.name, f"{file.records:,}", f"{file.bytes / 1e6:.1f}", file.note, style=style)
    screen.print(table if files else f"The log of {use_case} is empty")
    damaged = [file.name for file in files if file.damaged]
    if damaged:
        raise CheckFailed(f"{len(damaged)} of {len(files)} files are damaged: {', '.join(damaged)}")
    screen.print(f"{sum(file.records for file in files):,} records in {len(files)} files, all as they were written")


@app.command()
def pull(use_case: UseCaseName) -> None:
    """Take home what functions left in the bucket (log.bucket); what came is deleted there. Maintenance does it daily.

    Until then nothing here sees it: neither monitoring nor audit, and an erasure does not reach it.
    """
    from tasks.log.files import maintaining
    from tasks.log.pull import bucket_of
    from tasks.log.pull import pull as pulled

    case = load_use_case(use_case)
    bucket = bucket_of(case)  # before anything is made here
    with maintaining(prediction_log(case.name)):
        done = pulled(case)
    screen.print(f"{done.records:,} records of {done.objects:,} objects came home from {bucket}")
    if done.damaged:
        raise CheckFailed(f"damaged and left alone: {'; '.join(done.damaged)}")


@app.command()
def compact(use_case: UseCaseName) -> None:
    """Turn finished segments into Parquet by day, and drop days older than the use case keeps."""
    from tasks.log.compact import compact as compacted
    from tasks.log.files import maintaining
    from tasks.log.retain import drop_old

    case = load_use_case(use_case)
    with maintaining(prediction_log(case.name)):
        done = compacted(case.name)
        days = drop_old(case)
    screen.print(f"{done.records:,} records of {done.segments} segments are Parquet now; {done.open} are still written to")
    if done.torn_bytes:
        screen.print(f"{done.torn_bytes:,} bytes torn by crashes, never answered, were cut off")
    if days:
        screen.print(f"Dropped {len(days)} days older than {case.log.keep}: {', '.join(days)}")
    if done.damaged:
        raise CheckFailed(f"damaged and left alone: {'; '.join(done.damaged)}")


@app.command()
def erase(
    use_case: UseCaseName,
    where: Annotated[list[str], typer.Option(help="FIELD=VALUE; a feature, identifier, caller, prediction_id.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "asked for by the subject",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take one subject's records out of the log for good: predictions, their labels, and monitoring's copies.

    Training snapshots are copies of your source and are not touched: erase there, and release again. It says which hold
    them, and what else may. The history keeps that records were erased, by whom it was asked and how many, with a keyed hash
    in the place of the value. What is under legal hold (slipway audit hold) is refused.
    """
    from console.commands.subject import searching, tell_places
    from tasks.audit.checkpoint import sign_again
    from tasks.audit.in_store import in_store
    from tasks.audit.unsearched import unsearched
    from tasks.log.compact import compact as compacted
    from tasks.log.compact import rotate
    from tasks.log.conditions import matching, parse_condition
    from tasks.log.erase import erase as erased
    from tasks.log.files import maintaining
    from tasks.log.hold import refuse_held
    from tasks.people import may

    person = may("operator", "erase records")
    case = load_use_case(use_case)
    conditions = [parse_condition(text, case) for text in where]
    refuse_held(case.name, conditions)  # before anybody is asked; `erase` asks again
    ids, whose = matching(case.name, conditions), " and ".join(where)
    with searching(screen) as tell:
        held = in_store(case, conditions, ids, tell)
    windows = sum(place.kind == "window" for place in held.places)
    if not ids and not windows:
        more = f"; slipway audit subject {case.name} {' '.join(where)} says what holds them" if held.places else ""
        raise InputError(f"no prediction of {case.name} has {whose}{more}")
    copies = f" and {windows} collected windows that hold copies" if windows else ""
    if not yes and not typer.confirm(f"Erase {len(ids):,} predictions of {case.name} with {whose}{copies} for good?"):
        raise InputError("nothing was erased")
    with maintaining(prediction_log(case.name)):
        rotate(case.name)
        compacted(case.name)
        done = erased(case.name, conditions, reason, person.name)
    sign_again(case.name)  # which also forgets the hashes of the rows that were erased
    screen.print(f"Erased {done.predictions:,} predictions, {done.labels:,} labels and {done.windows} collected windows")
    if done.shadows:
        screen.print(f"and {done.shadows:,} answers of shadows to the same rows")
    if done.reviews:
        screen.print(f"and what {done.reviews:,} events of reviews said of them")
    left = [place for place in held.places if place.kind != "window"]
    tell_places(left, held.trained, [*held.cannot, *unsearched(case)], screen)
