"""Collect: the rows of a closed window, kept in the store, those of each version that answered apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from prefect import get_run_logger, task

from configs.schema import UseCase
from serving.contract.contract import contract_json
from serving.scoring.bundle import read_bundle
from tasks.log.collected import keep_window
from tasks.log.values import Bounds, Look, Window
from tasks.log.windows import WindowRows, decoded, read_window
from tasks.registry.values import Version
from tasks.store import put

LEAST_ROWS = 50  # of a version beside another one, to be judged


@task
def collect_window(use_case: UseCase, bounds: Bounds, versions: Mapping[str, Version], look: Look = "first") -> Window:
    """Keep a window's rows, or a sample of them, in the store. `versions` are those of the registry, by number."""
    read, logger = read_window(use_case, bounds), get_run_logger()
    whole = Window(
        use_case=use_case.name,
        name=bounds.name,
        start=bounds.start,
        end=bounds.end,
        rows=read.asked,
        labelled=_labelled(read, read.table),
        data=keep_window(use_case.name, read.table.drop_columns(["label", "features"])),
        requests=read.requests,
        strays=read.strays,
        refused=read.refused,
        look=look,
    )
    sample = f" of which a sample of {read.table.num_rows:,} is looked at" if read.asked > read.table.num_rows else ""
    logger.info("Window %s: %s rows%s, %s labelled", bounds.name, f"{read.asked:,}", sample, f"{whole.labelled:,}")
    if read.torn:
        logger.warning("The prediction log has %s lines torn by a crash, never answered: cut off", read.torn)
    if read.strays:
        logger.warning("%s rows say an event time that cannot be: they count when they arrived", f"{read.strays:,}")
    return whole.model_copy(update={"parts": _parts(use_case, whole, read, versions)})


def _parts(use_case: UseCase, whole: Window, read: WindowRows, versions: Mapping[str, Version]) -> list[Window]:
    """The rows of each version, the oldest first. The most are judged, however few; of the others those with enough."""
    import pyarrow.compute as pc

    protected = use_case.fairness.protected if use_case.fairness else ()
    counts = Counter(read.table["version"].to_pylist())
    most, parts = max(counts, key=lambda number: counts[number], default=""), []
    for number in sorted(counts, key=lambda number: (len(number), number)):
        rows = read.table.filter(pc.field("version") == number)
        part = whole.model_copy(
            update={
                "version": number,
                "rows": _scaled(read, rows.num_rows),
                "labelled": _labelled(read, rows),
                "not_judged": _why_not(versions.get(number), rows.num_rows if number != most else LEAST_ROWS),
            }
        )
        if not part.not_judged:
            contract = read_bundle(versions[number].bundle.path).contract
            kept = {
                "data": keep_window(whole.use_case, decoded(rows, contract, protected)),
                "contract": put("contracts", ".json", contract_json(contract)),
            }
            part = part.model_copy(update=kept)
        parts.append(part)
    return parts


def _why_not(version: Version | None, rows: int) -> str:
    if version is None:
        return "the registry does not know this version"
    if not version.bundle.path.is_dir():
        return "its bundle is not in the store"
    return "" if rows >= LEAST_ROWS else f"fewer than {LEAST_ROWS} rows beside another version"


def _labelled(read: WindowRows, rows: Any) -> int:
    return _scaled(read, rows.num_rows - rows["label"].null_count)


def _scaled(read: WindowRows, rows: int) -> int:
    """How many rows of the window so many of the sample stand for."""
    return round(rows * read.asked / max(read.table.num_rows, 1))
