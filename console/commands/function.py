"""`slipway function`: a version as a ZIP file for AWS Lambda's own Python, and the template that deploys it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from configs.errors import InputError
from configs.load import load_use_case
from configs.settings import made, store
from tasks.containers.function import zip_function
from tasks.containers.function_template import function_template
from tasks.rollouts.known import bundle_of
from tasks.routing.served import serving


def function(use_case: str, version: str | None, to: Path, screen: Console) -> None:
    """Write both into a folder; the version that serves, where none is named.

    Raises:
        InputError: nothing serves, the version is unknown here, or there is no Python to compile with.
        CheckFailed: the packages could not be fetched, or Lambda would not take them.
    """
    case = load_use_case(use_case)
    name = case.name
    served = serving(name)
    number = version or (served.version.version if served else "")
    digest = bundle_of(name, number) if number else ""
    if not digest:
        what = f"version {number} of {name!r} was never deployed here" if number else f"nothing of {name!r} serves"
        raise InputError(f"{what}, so there is nothing to package; 'slipway release {name}' makes and deploys a version")
    archive = made(to) / f"{name}-v{number}.zip"
    with screen.status("packaging") as status:
        unpacked = zip_function(store("bundles") / digest, archive, status.update)
    template = to / "template.yaml"
    template.write_text(function_template(case, number, archive.name))
    sizes = f"{archive.stat().st_size / 2**20:.1f} MiB, {unpacked / 2**20:.0f} unpacked"
    screen.print(
        f"Version {number} of {name} as a function: {archive} ({sizes}) and {template}. Next, in {to}:", soft_wrap=True
    )
    screen.print("  sam deploy --guided   (its log's bucket and the secret of its hashes are asked for)", markup=False)
