"""Read facts: data, model, configuration and environment of each version, from its bundle and its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from prefect import task

from tasks.comparing.differing import differing
from tasks.comparing.side import Side, sides_of
from tasks.comparing.speed_of_one import speed_of_one
from tasks.comparing.values import Basis, Fact, Facts, Scalar
from tasks.data.frames import read_rows
from tasks.data.values import Snapshot
from tasks.registry.provenance import environment_of
from tasks.registry.values import Version
from tasks.training.given import UNKNOWN

SHORT = 12  # of a digest
FILES = 20  # that are named, of those that differ
NOT_RECORDED = "(not recorded)"
# What it is called, its tag, and how much of it is shown.
ENVIRONMENT = (("Python", "python", 99), ("commit", "git_commit", 99), ("code", "code", SHORT), ("lock", "lock", SHORT))


@task
def read_facts(compared: Sequence[Version], basis: Basis) -> Facts:
    """Single rows are timed now: on the fair rows, or where there are none on the last ones of a snapshot."""
    sides = sides_of(compared)
    seconds, untimed = speed_of_one(sides, basis)
    packages, unknown = _packages(sides)
    given = [f"Version {side.number}: {UNKNOWN}" for side in sides if side.case.model.onnx is not None]
    return Facts(
        data=_data(sides),
        model=[*_model(sides), Fact(what="one row now (µs)", values=seconds)],
        configuration=differing({side.number: side.case.model_dump(mode="json") for side in sides}),
        environment=[*_environment(sides), *packages],
        remarks=[*untimed, *unknown, *given],
    )


def _data(sides: Sequence[Side]) -> list[Fact]:
    def recorded(name: str) -> Callable[[Side], Scalar]:
        return lambda side: side.bundle.manifest.lineage.get(name, NOT_RECORDED) or "now"

    facts = {
        "snapshot": lambda side: side.bundle.manifest.lineage["snapshot"][:SHORT],
        "rows": recorded("rows"),
        "learned rows": recorded("learned_rows"),
        "first row": lambda side: _time(side, 0),
        "last row": lambda side: _time(side, -1),
        "learned until": lambda side: side.bundle.manifest.lineage.get("learned_until", NOT_RECORDED) or "(no time)",
        "labels known until": recorded("until"),
        "files": lambda side: sum(map(len, side.bundle.manifest.lineage.get("files", {}).values())) or NOT_RECORDED,
    }
    return [_fact(what, sides, value) for what, value in facts.items()] + _files(sides)


def _time(side: Side, place: int) -> Scalar:
    """Of a row of the snapshot, which lies in time order."""
    lineage, time = side.bundle.manifest.lineage, side.contract.time_column
    snapshot = Snapshot(digest=lineage["snapshot"], rows=lineage["rows"])
    if time is None:
        return "(no time)"
    if not snapshot.path.exists():
        return "(snapshot is gone)"
    row = place % snapshot.rows
    return str(read_rows(snapshot, row, row + 1, [time])[time].iloc[0].isoformat())


def _files(sides: Sequence[Side]) -> list[Fact]:
    """Those that are not the same everywhere, by their SHA-256."""
    named = {
        side.number: {f"{table}: {name}": digest for table, its in _recorded(side).items() for name, digest in its.items()}
        for side in sides
    }
    keys = dict.fromkeys(key for files in named.values() for key in files)
    differ = [key for key in keys if len({files.get(key) for files in named.values()}) > 1]
    shown = [
        Fact(what=f"file {key}", values={number: (files.get(key) or "")[:SHORT] or None for number, files in named.items()})
        for key in differ[:FILES]
    ]
    more = len(differ) - len(shown)
    return shown + ([Fact(what=f"and {more:,} files more that differ", values=dict.fromkeys(named, None))] if more else [])


def _recorded(side: Side) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = side.bundle.manifest.lineage.get("files", {})
    return found


def _model(sides: Sequence[Side]) -> list[Fact]:
    facts: dict[str, Callable[[Side], Any]] = {
        "estimator": lambda side: side.case.model.named,
        "parameters": lambda side: (
            ", ".join(f"{k}={v}" for k, v in sorted(side.case.model.parameters.items())) or "(defaults)"
        ),
        "seed": lambda side: side.case.model.seed,
        "history": lambda side: side.case.training.history[0],
        "why this recipe": lambda side: side.bundle.manifest.lineage.get("recipe") or "(no choice)",
        "inputs": lambda side: len(side.contract.columns),
        "answers": lambda side: side.problem.told(side.case.target, side.contract),
        "variant": lambda side: side.bundle.manifest.lineage.get("variant", NOT_RECORDED),
        "opset": _opset,
        "ONNX (kB)": lambda side: round(len(side.bundle.model) / 1e3, 1),
        "bundle (kB)": lambda side: round(sum(file.stat().st_size for file in side.bundle.folder.iterdir()) / 1e3, 1),
        "bundle": lambda side: side.bundle.digest[:SHORT],
    }
    return [_fact(what, sides, value) for what, value in facts.items()]


def _opset(side: Side) -> str:
    import onnx

    graph: Any = onnx.load_from_string(side.bundle.model)
    return ", ".join(f"{each.domain or 'ai.onnx'} {each.version}" for each in graph.opset_import)


def _environment(sides: Sequence[Side]) -> list[Fact]:
    """Python, commit, code and lock where they differ; digests are cut."""
    recorded = {
        what: {side.number: side.version.tags.get(tag, NOT_RECORDED)[:shown] for side in sides}
        for what, tag, shown in ENVIRONMENT
    }
    return [Fact(what=what, values=dict(values)) for what, values in recorded.items() if len(set(values.values())) > 1]


def _packages(sides: Sequence[Side]) -> tuple[list[Fact], list[str]]:
    """Packages that differ, by name; or why they cannot be named."""
    if len({side.version.tags.get("packages", side.number) for side in sides}) == 1:
        return [], []
    found = {side.number: environment_of(side.version.tags) for side in sides}
    if unknown := [number for number, packages in found.items() if packages is None]:
        which = " and ".join(unknown)
        return [], [f"Packages differ; which they are cannot be named: the home has no list of those of version {which}"]
    return differing({number: packages or {} for number, packages in found.items()}), []


def _fact(what: str, sides: Sequence[Side], value: Callable[[Side], Any]) -> Fact:
    return Fact(what=what, values={side.number: value(side) for side in sides})
