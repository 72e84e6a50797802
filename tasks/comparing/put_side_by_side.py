"""Put side by side: the whole comparison as one value, as a page among the reports, and as an artifact of the run."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from configs.files import write_atomically
from configs.schema import UseCase
from configs.settings import report_address, reports
from tasks.comparing.plots import plots
from tasks.comparing.sheets import markdown, sheets
from tasks.comparing.side import newest_first, sides_of
from tasks.comparing.values import Basis, Changed, Facts, Groups, Measured, Origin, Own, SideBySide
from tasks.page import page
from tasks.registry.values import Version


@task
def put_side_by_side(
    use_case: UseCase,
    compared: Sequence[Version],
    facts: Facts,
    basis: Basis,
    measured: list[Measured],
    groups: Groups | None,
    own: list[Own],
    changed: list[Changed],
    origins: list[Origin],
) -> SideBySide:
    """The page is written in one step, over that of the same comparison before."""
    sides = sides_of(compared)
    numbers = [side.number for side in sides]
    path = reports(use_case.name, "comparisons") / f"{'-'.join(numbers)}.html"
    found = SideBySide(
        use_case=use_case.name,
        time_zone=use_case.time_zone,
        versions=numbers,
        facts=facts,
        basis=basis,
        metric=newest_first(sides)[0].case.promotion.metric,
        measured=measured,
        groups=groups,
        own=own,
        changed=changed,
        origins=origins,
        page=str(path),
    )
    title = f"{use_case.name}: versions {', '.join(numbers)}"
    shown = sheets(found)
    get_run_logger().info("Writing the page %s", path)
    write_atomically(path, page(title, use_case.description, shown, plots(found, sides)).encode())
    create_markdown_artifact(
        key=f"compare-{use_case.name}",
        markdown=f"# {title}\n\n[Page with plots]({report_address(path)})\n\n{markdown(shown)}",
        description=f"Versions {', '.join(numbers)} of {use_case.name}, side by side",
    )
    return found
