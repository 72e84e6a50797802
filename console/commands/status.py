"""`slipway status`: services, champions, releases, findings. Reads only."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from configs.errors import InputError
from configs.settings import home, read_services, service_address
from configs.tls import running_tls
from console import services
from console.releases import serving, with_releases
from tasks.history import read_history
from tasks.monitoring.alerts.outbox import waiting
from tasks.monitoring.findings import findings, told, unreadable_findings
from tasks.monitoring.watching import next_looks
from tasks.routing.halted import halted
from tasks.routing.released import is_retired
from tasks.routing.traffic import unreadable


def show(screen: Console) -> None:
    """Print what is up and what serves."""
    screen.print(addresses())
    table = Table(title="Use cases", title_justify="left")
    for column in ("use case", "version", "since", "why", "release", "watched", "last window"):
        table.add_column(column, overflow="fold")
    looks, nowhere = _looks()
    for use_case in with_releases():
        table.add_row(use_case, *_serving(use_case), looks.get(use_case, nowhere), _last_window(use_case))
    for problem in unreadable():
        screen.print(f"[red]Route left out:[/] {problem}")
    screen.print(table if table.row_count else "No use case was released yet: slipway release flights")
    screen.print(f"Home: {home()}")


def addresses() -> Table:
    """Every service of this home and where it is."""
    table = Table(title="Services", title_justify="left")
    for column in ("service", "address", "state", "began anew"):
        table.add_column(column, overflow="fold")
    known = read_services()
    for service in [*services.services(), services.evidently(), services.worker(), services.guard()]:
        address = service_address(service.name) if service.ready and service.name in known else ""
        down = "[dim]started by 'slipway ui'" if service.name == "evidently" else "[red]down"
        found = services.known(service.name)
        anew = f"{found.restarts} times, last after {found.why}" if found.restarts else ""
        table.add_row(service.title, address, "[green]up" if found.process else down, anew)
    if tls := running_tls():
        state = "[green]up" if services.is_up("gateway") else "[red]down"
        table.add_row("API (TLS)", f"https://{tls.address}", state)
    if not services.supervised() and any(services.is_up(each.name) for each in services.services()):
        table.caption = "Nobody watches the services: 'slipway up' changes that"
    return table


def _looks() -> tuple[dict[str, str], str]:
    """When each use case is looked at next, and what is true of those that Prefect does not know."""
    if not services.is_up("prefect"):
        return {}, "[red]not watched: Prefect is down[/]"
    found = {name: look if look.startswith("next") else f"[red]{look}[/]" for name, look in next_looks().items()}
    return found, "[red]not watched: not registered; 'slipway up' does it[/]"


def _serving(use_case: str) -> tuple[str, str, str, str]:
    if is_retired(use_case):
        last = read_history(use_case, "retire")[-1]
        return "", last["time"], last["reason"], "retired"
    deploys = read_history(use_case, "deploy")
    if not deploys:
        return "", "", "", ""
    last, stands = deploys[-1], halted(use_case)
    why = f"[red]halted since {stands.time} by {stands.by}: {escape(stands.reason)}[/]" if stands else last["reason"]
    return last["version"], last["time"], why, _release(use_case)


def _release(use_case: str) -> str:
    """What runs; where that cannot be said, why: the lines of others are to be read too."""
    try:
        running = serving(use_case)
    except InputError as error:
        return f"[red]{escape(str(error))}[/]"
    return f"{running.name} ({running.platform})" if running else "down"


def _last_window(use_case: str) -> str:
    found = findings(use_case)
    lines = [f"{found[-1].title}: {told(found[-1])}"] if found else []
    lines += [f"{n} not told: {channel} ({why})" for channel, (n, why) in waiting(use_case).items()]
    lines += [f"{path} cannot be read" for path in unreadable_findings(use_case)]
    return "\n".join(lines)
