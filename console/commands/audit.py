"""`slipway audit`: the record of a use case that proves itself; signed, verified, given to an outsider. Needs no service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from configs.errors import CheckFailed, InputError
from configs.load import load_use_case

if TYPE_CHECKING:
    from tasks.audit.outside import Checkpoint, Key

app = typer.Typer(no_args_is_help=True, help="The record that proves itself: sign, verify, export it, and ask why.")
screen = Console()
UseCaseName = Annotated[str, typer.Argument(help="A use case of this home, also a retired one.")]


@app.command()
def checkpoint(use_case: UseCaseName) -> None:
    """Add what happened since the last one to the record, sign it, and tell the witness. Maintenance does it as well.

    Servers begin a new segment of the prediction log, so that everything answered by now is in it.
    """
    from configs.settings import prediction_log
    from console.commands.history import require_history
    from tasks.audit.checkpoint import sign_record
    from tasks.log.compact import rotate
    from tasks.log.files import maintaining

    require_history(use_case)
    with maintaining(prediction_log(use_case)):
        rotate(use_case)
    signed = sign_record(use_case)
    _say(f"{use_case}: {signed.size:,} entries are signed, {signed.added:,} of them new; root {signed.root}")
    if signed.witnessed:
        _say(f"The witness has {signed.witnessed} more checkpoints")


@app.command()
def verify(
    use_case: Annotated[str | None, typer.Argument(help="Default: every use case with a record.")] = None,
    key: Annotated[str | None, typer.Option(help="The key as 'export' told it once; default: this home's own.")] = None,
) -> None:
    """Check the record, signatures, witness, histories and every file of the log. Status 1 if one does not hold."""
    from tasks.audit.examine import examine, recorded

    names = [use_case] if use_case else recorded()
    if not names:
        raise InputError("no use case of this home has an audit record; 'slipway audit checkpoint NAME' begins one")
    if key and not use_case:
        raise InputError("--key is the key of one use case; name it")
    wrong = 0
    for name in names:
        found = examine(name, _key(key) if key else None)
        wrong += len(found.findings)
        for finding in found.findings:
            _say(f"{name}: {finding.what}: {finding.why}")
        seen = f"{found.witnessed} of a witness" if found.witnessed else "no witness"
        what = f"{found.entries:,} entries, {found.checkpoints:,} checkpoints, {seen}, {found.files:,} files of the log"
        _say(f"{name}: {what}; last signed {found.last}")
        if found.waiting or found.open:
            _say(f"{name}: not signed yet: {found.waiting:,} lines of journals, {found.open} segments that are written to")
    if wrong:
        raise CheckFailed(f"{wrong} things are not as they were recorded")
    screen.print("All of it holds")


@app.command()
def run(
    use_case: Annotated[str | None, typer.Argument(help="Default: every use case that was released here.")] = None,
    as_data: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Record, witness, keys, vulnerabilities since the release, alarms, halts, quarantines, legal holds, retention.

    Maintenance runs it every night, and tells people. Status 1 where something needs somebody; not for what could not be
    looked at.
    """
    from configs.load import use_case_names
    from console.releases import with_releases
    from tasks.monitoring.audit_run import keep, looked, page_path

    released = with_releases()
    names = [use_case] if use_case else [name for name in use_case_names() if name in released]
    if not names:
        raise InputError("no use case of this home was released yet; 'slipway audit run NAME' looks at one")
    found = [looked(load_use_case(name)) for name in names]
    for each in found:
        keep(each)
    if as_data:
        print(json.dumps([each.model_dump(mode="json") for each in found], indent=1))
    for each in [] if as_data else found:
        for check in each.checks:
            _say(f"{each.use_case}: {check.state}: {check.name}: {check.told}")
        _say(f"{each.use_case}: {each.told}; the page is {page_path(each)}")
    if wrong := [f"{each.use_case}: {', '.join(each.wrong)}" for each in found if each.wrong]:
        raise CheckFailed("; ".join(wrong))


@app.command()
def why(
    prediction_id: Annotated[str, typer.Argument(help="As the answer had it.")],
    use_case: Annotated[str | None, typer.Option(help="Default: whichever has it.")] = None,
    since: Annotated[
        Path | None, typer.Option(help="A checkpoint that you hold: prove too that the record only grew.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask the stored model once more. Status 1 if it differs.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Train the version again, and ask that too. Status 1 if it differs.")
    ] = False,
    change: Annotated[
        bool, typer.Option("--change", help="Say too what would have to change for the answer that the use case wants.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="A new file for it as a page, which needs nothing beside it.")] = None,
    as_data: Annotated[bool, typer.Option("--json", help="As JSON, with the proof that verify.py --proof checks.")] = False,
) -> None:
    """What was asked and answered, by what, made from what, decided by whom, what came of it; and whether it is proven."""
    from configs.files import write_atomically
    from console.commands.why import tell
    from tasks.audit.story import doubts
    from tasks.audit.why import asked_of

    if html is not None and html.exists():
        raise InputError(f"--html {html}: is there already; name another file, or remove it")
    found = asked_of(prediction_id, use_case, _checkpoint(since) if since else None)
    if again:
        from tasks.audit.again import ask_again

        found = found.model_copy(update={"again": ask_again(found)})
    if rebuild:
        from console.commands.rebuild import rebuilt

        found = found.model_copy(update={"rebuilt": rebuilt(found)})
    if change:
        from tasks.explaining.counterfactuals import what_if

        told = what_if(load_use_case(found.use_case), found.asked[-1], found.model["bundle"])
        found = found.model_copy(update={"change": told})
    if html is not None:
        from console.web.why import alone

        html.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(html, alone(found).encode(), mode=0o600)
    if as_data:
        print(found.model_dump_json(indent=1))
    elif html is None:
        tell(found, screen)
    else:
        _say(f"Written to {html}")
    if wrong := doubts(found):
        raise CheckFailed("; ".join(wrong))


@app.command()
def subject(
    words: Annotated[
        list[str], typer.Argument(metavar="[NAME] FIELD=VALUE...", help="Without NAME: every use case with that field.")
    ],
    reason: Annotated[str, typer.Option(help="Why you read it; it is kept.")] = "asked for by the subject",
    to: Annotated[Path | None, typer.Option(help="A new file for all of it as JSON, which only you may read.")] = None,
    as_data: Annotated[bool, typer.Option("--json", help="All of it as JSON, with every record.")] = False,
) -> None:
    """What is held on one person, whether models learned from them, who asked before; and what cannot be searched.

    That you asked is recorded, with the reason and a keyed hash of the value.

    slipway audit subject customer=42 --reason "access request of 3 March" --to customer-42.json
    """
    from configs.files import write_atomically
    from console.commands.subject import gather, searching, tell_subject
    from tasks.audit.subject import use_cases_with
    from tasks.log.conditions import parse_condition
    from tasks.people import may

    person, name = may("auditor", "read what is held on a person"), None if "=" in words[0] else words[0]
    where = words[1:] if name else words
    if not where or not reason.strip():
        raise InputError("write FIELD=VALUE, for example customer=42" if not where else "--reason must not be empty")
    if to is not None and (to.exists() or not to.parent.is_dir()):
        raise InputError(f"--to {to}: {'is there already' if to.exists() else 'its folder is not there'}; name a new file")
    if name:
        case = load_use_case(name)
        cases, cannot = [(case, [parse_condition(text, case) for text in where])], list[str]()
    else:
        cases, cannot = use_cases_with(where)
    with searching(Console(stderr=True)) as tell:
        found, failed = gather(cases, reason, person.name, tell)
    cannot += failed
    data = {"asked": where, "found": [each.model_dump(mode="json") for each in found], "cannot": cannot}
    if to is not None:
        write_atomically(to, json.dumps(data, indent=1).encode(), mode=0o600)
    if as_data:
        print(json.dumps(data, indent=1))
    else:
        for each in found:
            tell_subject(each, screen)
        for line in cannot:
            _say(f"Not searched: {line}")
        if to is not None:
            _say(f"All of it is in {to}")
    if failed:
        raise CheckFailed("; ".join(failed))


@app.command()
def hold(
    use_case: Annotated[str, typer.Argument(help="A use case in configs/.")],
    where: Annotated[list[str] | None, typer.Argument(help="FIELD=VALUE, as 'slipway log erase' has it.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept. Write nobody's name into it.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Let them be erased again.")] = False,
) -> None:
    """Legal hold: a person's records are neither erased nor dropped by age until it is lifted. Without FIELD=VALUE, list.

    slipway audit hold loans customer=42 --reason "case 12 O 345/26"

    slipway audit hold loans customer=42 --lift --reason "settled"
    """
    from tasks.audit.checkpoint import sign_again
    from tasks.log.conditions import matching, parse_condition
    from tasks.log.hold import lift as lifted
    from tasks.log.hold import place, standing
    from tasks.people import may

    person, case = may("auditor", "place, list or lift a legal hold"), load_use_case(use_case)
    if not where:
        found = standing(case.name)
        for each in found:
            _say(f"{' and '.join(f'{on.field}={on.value}' for on in each.where)}: {each.told}")
        if not found:
            _say(f"Nothing of {case.name} is under legal hold")
        return
    if not reason.strip():
        raise InputError("a legal hold, and lifting one, needs a reason, which is kept: --reason '...'")
    conditions = [parse_condition(text, case) for text in where]
    done = (lifted if lift else place)(case.name, conditions, reason, person.name)
    sign_again(case.name)
    if lift:
        _say(f"Legal hold {done.id} is lifted: {reason}")
    else:
        count = len(matching(case.name, conditions))
        _say(f"Legal hold {done.id}: {count:,} predictions of {case.name}, and those that come, stay until it is lifted")


@app.command()
def notice(
    prediction_id: Annotated[str, typer.Argument(help="As the answer had it.")],
    to: Annotated[Path, typer.Option(help="A new file, .html or .pdf.")],
    use_case: Annotated[str | None, typer.Option(help="Default: whichever has it.")] = None,
) -> None:
    """Write the notice of an unfavourable answer, with its reasons in words; what a person must still write is marked."""
    from configs.files import write_atomically
    from configs.load import load_use_case, use_case_file
    from tasks.audit.notice import FORMS, OWN, notice_of, page_of
    from tasks.audit.why import asked_of

    form = FORMS.get(to.suffix.lower())
    if form is None:
        raise InputError(f"--to {to}: a notice is {' or '.join(FORMS)}; name the file so")
    if to.exists():
        raise InputError(f"--to {to}: is there already; name another file, or remove it")
    found = asked_of(prediction_id, use_case)
    case = load_use_case(found.use_case) if use_case_file(found.use_case).is_file() else None  # a retired one may have none
    own = case.reasons.notice if case and case.reasons else None
    told = notice_of(found, case)
    page = page_of(told, Path(own) if own else OWN)
    content = form(page, told)
    to.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(to, content)
    _say(f"Written to {to}")
    for what in page.to_write:
        _say(f"to be written: {what}")


@app.command()
def export(
    use_case: UseCaseName, to: Annotated[Path, typer.Option(help="A new folder, for whoever shall check the record.")]
) -> None:
    """Write the record, the public key, and verify.py, which checks it and imports nothing of Slipway."""
    from tasks.audit.export import export as exported

    key = exported(use_case, to)
    _say(f"Written to {to}. An outsider runs: python {to}/verify.py --key '{key}'")
    _say("Tell them the key in another way than with the folder, and where the witness is (--witness).")


def _key(text: str) -> Key:
    from tasks.audit.outside import Unreadable, parse_key

    try:
        return parse_key(text)
    except Unreadable as error:
        raise InputError(f"--key: {error}") from None


def _checkpoint(path: Path) -> Checkpoint:
    from tasks.audit.outside import Unreadable, parse_checkpoint

    try:
        return parse_checkpoint(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, Unreadable) as error:
        raise InputError(f"--since {path}: {error}") from None


def _say(text: str) -> None:
    screen.print(text, markup=False, highlight=False, soft_wrap=True)
