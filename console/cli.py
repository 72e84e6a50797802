"""The `slipway` command line. Heavy imports stand inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from configs.errors import CheckFailed, InputError
from configs.inferred import NotInferred
from configs.load import load_use_case
from console import services
from console.commands import audit, keys, log, people

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="From a table of data to a model deployment that is tested, watched, explained and reversible.",
    epilog="Start with: slipway run flights, or with a table of yours: slipway init FILE --target COLUMN. "
    "State lies in SLIPWAY_HOME (default .slipway/); 'slipway down' stops all.",
)
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(log.app, name="log")
app.add_typer(people.app, name="people")
screen = Console()
INTERRUPTED = 130
UseCaseName = Annotated[str, typer.Argument(help="A use case in configs/, for example flights or loans.")]
Until = Annotated[str | None, typer.Option(help="Learn only from rows whose label was known then, e.g. 2013-06-01.")]


def main() -> None:
    """Run a command. Bad input: one line, status 2. A check that said no: one line, status 1."""
    for asked in (signal.SIGINT, signal.SIGTERM):  # a job of a shell's background is started with SIGINT ignored
        signal.signal(asked, signal.default_int_handler)
    try:
        os.environ.update(services.environment())
        app()
    except InputError as error:
        _die(f"error: {error}", 2)
    except CheckFailed as error:
        _die(f"failed: {error}", 1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _die(f"error: no space left on the disk of {services.home()}; free some and run the same command again", 2)
    except SystemExit as ending:
        if ending.code == INTERRUPTED:  # Typer's own answer to Ctrl-C
            print("stopped; run the same command again to go on from here", file=sys.stderr)
        raise


def _die(message: str, status: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)


@app.command()
def run(
    use_case: UseCaseName = "flights",
    once: Annotated[bool, typer.Option("--once", help="End when the replay has ended, and stop what was started.")] = False,
    until: Annotated[
        str | None, typer.Option(help="Stop before the first window that begins on this day or later, e.g. 2013-06-01.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Requests a second at most.", min=0.1)] = None,
) -> None:
    """The main job: start everything, release, replay history as live traffic, monitor, retrain. Run again to go on."""
    _operator("run a use case")
    case, moment, began = _whole(use_case), _moment(until), time.monotonic()
    started = services.up(screen.print)  # before Prefect is imported, which reads its address once
    try:
        from console import releases

        before = releases.running(case.name)
        try:
            _register(case.name)
            _print_addresses()
            from console.commands.run import main_job

            main_job(case, moment, rate, began, screen)
            if not once:
                _until_interrupted()
        finally:
            if not before:
                releases.stop(screen.print, case.name)
    finally:
        if started:
            services.down(screen.print, started)


@app.command()
def init(
    table: Annotated[str, typer.Argument(help="A file, package://PACKAGE/path, or any fsspec URL of a table.")],
    target: Annotated[str, typer.Option(help="The column to predict, as the table calls it.")],
    name: Annotated[str | None, typer.Option(help="What to call the use case; default: the file's name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write an existing use case anew.")] = False,
) -> None:
    """Look at a table and write a use case for it, each choice explained; changes nothing else.

    It finds the kind of answer, the kind of each column, the time, ids, what leaks the answer and what looks sensitive (both
    left out, as comments), and a gate from a first model. For example: slipway init sales.csv --target churned
    """
    from console.commands.init import init as write

    write(table, target, name, force, screen)


@app.command()
def check(use_case: UseCaseName) -> None:
    """Tell all that is wrong with a use case, without running it: status 2 and a line a problem, or a short summary.

    It reads the YAML and the source: keys, columns, target, rules, time, how many rows learn and judge, leaks, secrets.
    """
    from console.commands.check import check as look

    look(use_case, screen)


@app.command()
def up() -> None:
    """Start Prefect, MLflow, the gateway, the worker and the reports; champions that were down serve again."""
    services.up(screen.print)
    from console.releases import bring_back

    bring_back(screen.print)
    _print_addresses()


@app.command()
def down() -> None:
    """Stop every service and every release of this home. State stays; 'slipway up' goes on with it."""
    _stop_everything()


@app.command()
def service(
    show: Annotated[bool, typer.Option("--print", help="Only show what would be written.")] = False,
) -> None:
    """Have this home come back after a reboot: a unit of systemd's for this user, or an @reboot line of cron's."""
    from console.commands import boot

    wanted = boot.entry()
    print(wanted.content)
    if not show:
        boot.install(wanted)
        print(f"Written to {wanted.where}")
    print(f"To undo it: {wanted.undo}", file=sys.stderr)
    for name in boot.secrets_left_out():
        print(
            f"{name} is not written down; give {name}_FILE, or a Prefect block, so that it is there at boot", file=sys.stderr
        )


@app.command()
def ui() -> None:
    """Start Evidently's UI (the history of every window), and say where it and all the others are."""
    services.up(screen.print)
    services.up_evidently(screen.print)
    _print_addresses()


@app.command()
def status() -> None:
    """What is up, which version serves each use case and why, and what monitoring found last."""
    from console.commands.status import show

    show(screen)


@app.command()
def history(
    use_case: UseCaseName,
    since: Annotated[str | None, typer.Option(help="Nothing before this day or time, e.g. 2026-03-01.")] = None,
    as_data: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """What happened to a use case, in order: releases, verdicts, alarms, rollbacks; and what serves now."""
    from console.commands.history import show

    show(use_case, since, as_data, screen)


@app.command()
def release(use_case: UseCaseName, until: Until = None) -> None:
    """Ingest, validate, train, evaluate, convert, bundle, register, containerize, test, deploy, switch.

    What the use case does not declare is inferred from its table by the first release, and stays so.
    """
    _operator("release")
    _whole(use_case)
    case = _ready(use_case)
    from flows.release import release as flow

    _told(case.name, flow(case.name, _moment(until)))


@app.command()
def retrain(use_case: UseCaseName, until: Until = None, cause: str = "a person") -> None:
    """Build a challenger from everything known by now; it replaces the champion if it is better (after drift: no worse)."""
    _operator("retrain")
    case = _ready(use_case)
    from flows.retrain import retrain as flow

    screen.print(flow(case.name, _moment(until), cause))


@app.command()
def monitor(
    use_case: UseCaseName,
    window: Annotated[str | None, typer.Option(help="One closed window to look at again, e.g. 2013-06.")] = None,
) -> None:
    """Look at every closed window that was not looked at yet: drift, performance, Evidently report, event."""
    case = _ready(use_case)
    from flows.monitor import monitor as flow
    from tasks.monitoring.findings import findings, told

    names = flow(case.name, window)
    for finding in findings(case.name):
        if finding.title in names:
            screen.print(f"{finding.title}: {told(finding)}\n  {finding.report}")
    if not names:
        screen.print("No closed window that was not looked at yet")


@app.command()
def replay(
    use_case: UseCaseName,
    until: Annotated[str | None, typer.Option(help="Send rows before this time (use cases with a time column).")] = None,
    rows: Annotated[int | None, typer.Option(help="Send the first N rows (use cases without one).", min=1)] = None,
    rate: Annotated[float | None, typer.Option(help="Requests a second at most.", min=0.1)] = None,
) -> None:
    """Send history through the gateway as live requests, in time order (or seeded random order), labels later."""
    case = _ready(use_case)
    from console.commands.replay import replayed
    from console.commands.run import the_replay

    replayed(the_replay(case), _moment(until), rows, rate, screen)


@app.command()
def deploy(
    use_case: UseCaseName,
    version: Annotated[str | None, typer.Option(help="A version's number; default the champion.")] = None,
    reason: str = "deployed by a person",
) -> None:
    """Put a version behind the gateway, tested first; without --version the champion, where it is down."""
    _operator("deploy")
    case = _ready(use_case)
    from flows.deploy import deploy as flow

    _told(case.name, flow(case.name, version, reason))


@app.command()
def plan(
    use_case: UseCaseName,
    version: Annotated[str | None, typer.Option(help="A version's number; default the champion.")] = None,
) -> None:
    """Show what 'deploy' would change: images, releases, replicas, the gateway. Changes nothing itself."""
    case = _ready(use_case)
    from console.commands.plan import show

    show(case, version, screen)


@app.command()
def rollback(
    use_case: UseCaseName,
    version: Annotated[str | None, typer.Option(help="The version to go back to; default the one before.")] = None,
    reason: str = "rolled back by a person",
) -> None:
    """Put an earlier version back behind the gateway, at once: needs only the gateway, and fences whatever deploys now."""
    from tasks.rollouts.rollback import roll_back

    _told(use_case, roll_back(use_case, version, reason, screen.print))


@app.command()
def rollout(
    use_case: UseCaseName,
    action: Annotated[
        str, typer.Argument(help="show, start, look, pause, resume, abort, promote, approve or reject.")
    ] = "show",
    version: Annotated[
        list[str] | None, typer.Option(help="The version to start with; several for an A/B test of several.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "",
) -> None:
    """A new version meets real requests stage by stage, as 'rollout:' in the use case says; where it stands, and your word.

    'start' begins one, 'look' looks at the stage now instead of at the next scheduled look. 'pause', 'resume', 'abort',
    'promote' (to the next stage), 'approve' and 'reject' need a --reason. An abort is carried out at once, and needs neither
    Prefect nor MLflow. For example:

    slipway rollout flights start --version 4 --reason "learned June"

    slipway rollout flights start --version 5 --version 6 --reason "which earns more?"

    slipway rollout flights abort --reason "the desk sees wrong answers"
    """
    from console.commands.rollout import WORDS, show, spoken

    if action == "show":
        show(load_use_case(use_case), screen)
    elif action in ("start", "look"):
        _rolled(use_case, action, version or [], reason)
    elif action not in WORDS:
        raise InputError(f"{action!r} is nothing that a rollout does; use show, start, look, {', '.join(WORDS)}")
    elif not reason.strip():
        raise InputError(f"'{action}' needs a reason, which is kept: --reason '...'")
    else:
        spoken(load_use_case(use_case), action, reason, screen)


def _rolled(use_case: str, action: str, versions: list[str], reason: str) -> None:
    if (action == "start") != bool(versions):
        raise InputError("'start' begins a rollout and needs --version N; 'look' goes on with the one that is under way")
    case = _ready(use_case)
    from flows.rollout import rollout as flow

    first, others = (versions[0], versions[1:]) if versions else (None, [])
    screen.print(flow(case.name, first, reason or "rolled out by a person", others or None), markup=False)
    screen.print(f"More: slipway rollout {case.name}")


@app.command()
def quarantine(
    use_case: UseCaseName,
    version: Annotated[str, typer.Option(help="The version's number.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    lift: Annotated[bool, typer.Option("--lift", help="Trust it again.")] = False,
) -> None:
    """Distrust a version: it is neither rolled out nor deployed until somebody lifts it.

    A challenger that was found to be worse gets there by itself. What serves goes on serving; 'slipway rollback' ends
    that. For example:

    slipway quarantine loans --version 4 --reason "denies too many in May"
    """
    from tasks.people import may
    from tasks.quarantine import let_out, put_in
    from tasks.registry.versions import get_version

    case, person = load_use_case(use_case), may("operator", "put a version into quarantine or lift it")
    found = get_version(case.name, version).version
    (let_out if lift else put_in)(case.name, found, reason, person.name)
    screen.print(f"Version {found} of {case.name} is {'trusted again' if lift else 'in quarantine'}: {reason}", markup=False)


@app.command()
def halt(
    use_case: UseCaseName,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    lift: Annotated[bool, typer.Option("--lift", help="Let what serves answer again.")] = False,
) -> None:
    """Emergency stop: no model of the use case answers any more, at once, until somebody lifts it.

    Every request is refused (503), or gets 'deploy.answer_when_halted' where the use case declares one, which is logged.
    It needs neither Prefect nor MLflow, takes a rollout back, and outlives deploys, rollbacks and restarts. For example:

    slipway halt loans --reason "denies everybody since noon"

    slipway halt loans --lift --reason "rolled back to version 3"
    """
    from tasks.rollouts.halt import halt as stop
    from tasks.rollouts.halt import lift as let_answer

    case = load_use_case(use_case)
    if lift:
        let_answer(case, reason)
        screen.print(f"{case.name} answers again: {reason}", markup=False)
        return
    stands = stop(case, reason, screen.print)
    instead = "every request is refused (503)" if stands.answer is None else f"every row gets {stands.answer!r}"
    screen.print(f"{case.name} is halted: {instead}", markup=False)
    screen.print(
        f"'slipway halt {case.name} --lift --reason ...' ends it; 'slipway rollback' goes to another version meanwhile"
    )


@app.command()
def review(
    use_case: UseCaseName,
    action: Annotated[str, typer.Argument(help="list, show, confirm, override, decision or summary.")] = "list",
    prediction_id: Annotated[str | None, typer.Argument(help="Which answer, as its caller got the id.")] = None,
    answer: Annotated[str | None, typer.Option(help="For 'override': what holds instead of the model's answer.")] = None,
    reason: Annotated[str | None, typer.Option(help="For 'override': one of 'review.reasons' of the use case.")] = None,
    text: Annotated[str | None, typer.Option(help="What else you have to say; kept with your decision.")] = None,
    as_data: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """People decide on single answers: those that 'review:' in the use case sends to them, until their time is over.

    'list' shows what waits, the most urgent first; 'show' one record with its answer, what the columns added to it, and the
    cases most like it. 'confirm' and 'override' need the role 'reviewer', reading that or 'auditor'; an override says why.
    'decision' is where an answer stands, for whoever asked; 'summary' how often people override and agree, by group. For
    example:

    slipway review loans

    slipway review loans show 0123456789abcdef-7

    slipway review loans override 0123456789abcdef-7 --answer 1 --reason "new documents" --text "salary slip of May"
    """
    from console.commands.review import review as reviewed

    said = {"answer": answer, "reason": reason, "text": text}
    reviewed(load_use_case(use_case), action, prediction_id, said, as_data, screen)


@app.command("serve-stream")
def serve_stream(
    use_case: UseCaseName,
    metrics_port: Annotated[int, typer.Option(help="Port of the metrics (Prometheus) on this machine; 0 for none.")] = 0,
) -> None:
    """Answer the messages of a use case's stream (stream:) with the version that serves, until Ctrl-C.

    Messages are bodies of POST /predict or POST /feedback. Several of these share the work.
    """
    from console.commands.serve_stream import serve_stream as served

    served(use_case, metrics_port, screen)


@app.command()
def function(
    use_case: UseCaseName,
    version: Annotated[
        str | None, typer.Option(help="A version that was deployed here. Default: the one that serves.")
    ] = None,
    to: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("function"),
) -> None:
    """Package a version for AWS Lambda's own Python: a ZIP file, and a SAM template that deploys it.

    The image that a release builds runs on Lambda as it is (infra/lambda/template.yaml); the ZIP file starts faster.
    """
    from console.commands.function import function as packaged

    packaged(use_case, version, to, screen)


@app.command()
def retire(
    use_case: UseCaseName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: str = "retired by a person",
) -> None:
    """Take a use case out of service: its releases, route, schedules and deployments go, its log and history stay."""
    _operator("retire a use case")
    from console.commands import retire as retirement

    retirement.require_known(use_case)
    if not yes and not typer.confirm(f"Stop every release of {use_case}, and take its address and its deployments away?"):
        raise typer.Exit(1)
    if not all(services.is_up(name) for name in ("prefect", "mlflow", "gateway")):
        services.up(screen.print)
    retirement.retire(use_case, reason, screen.print)


@app.command()
def score(
    use_case: UseCaseName,
    source: Annotated[
        str,
        typer.Argument(help="CSV, Parquet, JSON lines or .xlsx, packed or not, by path or URL; or a database's address."),
    ],
    destination: Annotated[
        str,
        typer.Argument(
            help="A folder for Parquet parts; a file (.parquet, .csv, .csv.gz, .jsonl, .xlsx); or DATABASE_URL#TABLE."
        ),
    ],
    version: Annotated[str | None, typer.Option(help="Default: the champion.")] = None,
    query: Annotated[str | None, typer.Option(help="What to ask the database for.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="With a column 'reasons': what moved each answer, JSON.")
    ] = False,
) -> None:
    """Score rows in chunks with the bundle that serves; a stopped run goes on.

    slipway score loans applications.csv.gz answers.xlsx

    slipway score loans 'postgresql://me:${PASSWORD}@db/shop' answers.csv --query 'select * from applications'
    """
    case = _ready(use_case)
    from flows.score import score as flow

    screen.print(f"{flow(case.name, source, destination, version, query, explain):,} rows scored into {destination}")


@app.command()
def feedback(
    use_case: UseCaseName,
    source: Annotated[
        str, typer.Argument(help="A file of any kind, packed or not, a folder of such, a URL; or a database's address.")
    ],
    query: Annotated[str | None, typer.Option(help="What to ask the database for.")] = None,
    ids: Annotated[str, typer.Option("--id", help="The column of prediction ids.")] = "prediction_id",
    label: Annotated[str, typer.Option(help="The column of labels. Each other is a KPI, a number by its name.")] = "label",
) -> None:
    """Tell a use case's server what turned out to be true. All rows are checked first. Told twice, the last counts.

    slipway feedback loans outcomes.xlsx --id application --label approved

    slipway feedback loans sqlite:///shop.db --query 'select prediction_id, label from decided'
    """
    from rich.progress import Progress

    from console.commands.feedback import send_feedback, summary
    from tasks.log.outcomes import Columns

    case = load_use_case(use_case)
    with Progress(console=screen, transient=True) as bar:
        task = bar.add_task("", total=None)
        sent = send_feedback(
            case,
            source,
            query,
            Columns(ids, label),
            lambda doing, done, total: bar.update(task, description=doing, completed=done, total=total),
        )
    for line in summary(sent):
        screen.print(line, markup=False, highlight=False, soft_wrap=True)
    screen.print(f"They count from the next look on: slipway monitor {use_case}; what was found: slipway status")


@app.command()
def reproduce(use_case: UseCaseName, version: Annotated[str, typer.Argument(help="A version's number.")]) -> None:
    """Build a version again from its lineage and compare the ONNX bytes: equal, or status 1 and the difference."""
    case = _ready(use_case)
    from flows.reproduce import reproduce as flow

    screen.print(flow(case.name, version))


@app.command()
def compare(
    use_case: UseCaseName,
    versions: Annotated[list[str], typer.Argument(help="Two or three numbers of versions.")],
    as_data: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Versions side by side: data, configuration, packages, model; metrics on rows that none learned from; what they decide.

    slipway compare flights 3 4
    """
    from tasks.comparing.asked import require_versions

    require_versions(use_case, versions)
    case = _ready(use_case, Console(stderr=True) if as_data else screen)
    from console.commands.compare import show
    from flows.compare import compare as flow

    found = flow(case.name, tuple(versions))
    if as_data:
        print(found.model_dump_json(indent=1))
    else:
        show(found, screen)


@app.command()
def papers(
    use_case: Annotated[str, typer.Argument(help="A use case of this home, also a retired one.")],
    version: Annotated[str | None, typer.Option(help="Default: the one that serves.")] = None,
    to: Annotated[Path | None, typer.Option(help="A folder; default: one of the version, below reports/.")] = None,
) -> None:
    """Write model card, data sheet and technical file (annex IV of the EU AI Act) from the record, as HTML and PDF.

    Each figure says where it stands. What only a person can say comes from 'papers' in the use case, or is marked.
    """
    from console.commands.papers import write

    write(use_case, version, to, screen)


@app.command()
def privacy(
    use_case: UseCaseName,
    as_data: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What the source holds of persons, column by column, and how many rows share what somebody else could know.

    It reads every row of the source, the snapshot of the version that serves, and the prediction log; examples are masked.
    """
    from console.commands.privacy import show

    show(use_case, as_data, screen)


def _until_interrupted() -> None:
    screen.print("Everything stays up. Ctrl-C stops what this command started.")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def _stop_everything() -> None:
    from console.releases import stop_all

    try:
        stop_all(screen.print)
    finally:
        services.down(screen.print)


def _operator(what: str) -> None:
    """Refuse who may not, before anything is started; runs by schedule or from the Prefect UI ask nobody."""
    from tasks.people import may

    may("operator", what)


def _ready(use_case: str, to: Console = screen) -> Any:
    """The use case, checked before anything is started; then the services, if they are not up, which is told."""
    case = load_use_case(use_case)
    services.require_disk()
    names = ("prefect", "mlflow", "gateway", "reports", "web", "worker")
    if not (services.supervised() and all(services.is_up(name) for name in names)):
        services.up(to.print)
        to.print("Services stay up; 'slipway down' stops them")
    _register(case.name, to)
    return case


def _whole(use_case: str) -> Any:
    """The use case, what it leaves to its table inferred where that was not done before; the release tells what it was."""
    try:
        return load_use_case(use_case)
    except NotInferred:
        from tasks.onboarding.infer import freeze

        with screen.status("looking at the table") as status:
            freeze(use_case, lambda doing: status.update(escape(doing)))
        return load_use_case(use_case)


def _register(use_case: str, to: Console = screen) -> None:
    """The deployments of a use case, as its file says now; also of one that comes back from retirement."""
    from console.deployments import register

    register(to.print, use_case)


def _moment(text: str | None) -> datetime | None:
    from configs.forms import parse_time

    try:
        return parse_time(text)
    except ValueError as error:
        raise InputError(f"--until: {error}") from None


def _told(use_case: str, version: str) -> None:
    """What serves now, where, and where to look."""
    from console.releases import serving
    from tasks.routing.gateway import address

    release = serving(use_case)
    platform = f" on platform {release.platform} (release {release.name})" if release else ""
    screen.print(f"{use_case} version {version} serves{platform}")
    screen.print(f"API: {address(use_case)}/predict   More: slipway status")


def _print_addresses() -> None:
    from console.commands.status import addresses

    screen.print(addresses())


if __name__ == "__main__":
    main()
