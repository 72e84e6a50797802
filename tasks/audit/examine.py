"""Examine: everything that a home holds of a use case's record, held against what was signed and witnessed. Offline."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from configs.errors import InputError
from configs.settings import home, prediction_log
from tasks.audit.canonical import canonical
from tasks.audit.collect import LOOKED_AT, journal_events, journals
from tasks.audit.outside import Finding, Key, Unreadable, check_tree, differences, parse_checkpoint
from tasks.audit.signing import audit_key
from tasks.audit.tree import own_notes, read_entries, read_hashes
from tasks.audit.witness import witnessed_notes
from tasks.log.files import is_finished, maintaining, segments
from tasks.log.hold import wrong_holds
from tasks.log.ledger import described, name_of, read_ledger, should_be


class Examined(NamedTuple):
    """What was looked at, and what does not hold: `waiting` lines of journals and `open` segments are not signed yet."""

    use_case: str
    entries: int
    checkpoints: int
    witnessed: int
    last: str
    waiting: int
    open: int
    files: int
    findings: list[Finding]


def recorded() -> list[str]:
    """The use cases of this home that have a record."""
    return sorted(path.parent.name for path in (home() / "use_cases").glob("*/audit"))


def examine(use_case: str, key: Key | None = None) -> Examined:
    """Hold the record against its checkpoints and the witness, and journals and log files against the record.

    `key` is the one that somebody knows, else it is the home's own, which whoever holds the home may have put there.

    Raises:
        InputError: there is no record.
        CheckFailed: the witness cannot be read.
    """
    if use_case not in recorded():
        raise InputError(
            f"use case {use_case!r} has no audit record in {home()}; 'slipway audit checkpoint {use_case}' begins one"
        )
    key = key or audit_key(use_case)
    entries, notes, witnessed = read_entries(use_case), own_notes(use_case), witnessed_notes(key)
    findings = check_tree(entries, read_hashes(use_case), notes, key, witnessed)
    differing, waiting = _journals(use_case, entries)
    with maintaining(prediction_log(use_case)):
        files, wrong = _files(use_case)
        holds = [Finding(what, why) for what, why in wrong_holds(use_case)]
        open_ = sum(not is_finished(segment) for segment in segments(prediction_log(use_case)))
    return Examined(
        use_case=use_case,
        entries=len(entries),
        checkpoints=len(notes),
        witnessed=len(witnessed),
        last=_last(notes),
        waiting=waiting,
        open=open_,
        files=files,
        findings=[*findings, *differing, *wrong, *holds],
    )


def _last(notes: Sequence[str]) -> str:
    try:
        return parse_checkpoint(notes[-1]).time if notes else ""
    except Unreadable:
        return ""


def _journals(use_case: str, entries: list[bytes]) -> tuple[list[Finding], int]:
    """What journals no longer say as the record has it, and how many of their lines wait for the next checkpoint."""
    entered: dict[str, list[bytes]] = defaultdict(list)
    for entry in entries:
        try:
            read = json.loads(entry)
            source, event = read["source"], read["event"]
        except (ValueError, KeyError, TypeError):  # the tree says which one it is
            continue
        if source not in LOOKED_AT:
            entered[source].append(canonical(event))
    found = {
        source: [canonical(event) for event in journal_events(source, path)] for source, path in journals(use_case).items()
    }
    findings = []
    for source in sorted(entered.keys() | found.keys()):
        findings += differences(entered[source], found.get(source, []), f"{source} line", first=1, grows=True)
    return findings, sum(max(0, len(lines) - len(entered[source])) for source, lines in found.items())


def _files(use_case: str) -> tuple[int, list[Finding]]:
    """How many files of the log were held against the ledger, and what is wrong with them."""
    folder, should = prediction_log(use_case), should_be(read_ledger(use_case))
    findings = [Finding("changed", text) for text in should.broken]
    there = {name_of(path, folder): path for path in segments(folder)}
    redone = {Path(name).stem for name in there}  # a compaction that was killed will be done again
    seen = 0
    for name, path in there.items():
        expected = should.segments.get(name, should.compacted.get(name))
        if expected is None:
            continue  # open, or closed since the last checkpoint
        seen += 1
        if _digest(path, folder) != expected:
            findings.append(Finding("changed", f"segment {name} is not what it was when it was closed"))
    gone = should.segments.keys() - there.keys()
    findings += [Finding("dropped", f"segment {name} is missing") for name in sorted(gone)]
    found = [*folder.glob("compacted/day=*/*.parquet"), *folder.glob("compacted/day=*/*.parquet.sealed")]
    parts = {name_of(path, folder): path for path in found if path.name.split(".")[0] not in redone}
    for name, path in sorted(parts.items()):
        seen += 1
        digest = _digest(path, folder)
        if digest == should.parts.get(name):
            continue
        if digest == should.erased.get(name):
            findings.append(
                Finding("undone", f"{name} holds what an erasure took out: it was undone, or killed; erase again")
            )
        elif digest == should.dropped.get(name):
            findings.append(Finding("undone", f"{name} is there, and retention has dropped it; maintenance drops it again"))
        elif name in should.parts:
            findings.append(Finding("changed", f"{name} is not what was written"))
        else:
            findings.append(Finding("inserted", f"{name} was written by no maintenance"))
    lost = {name for name in should.parts.keys() - parts.keys() if Path(name).name.split(".")[0] not in redone}
    findings += [Finding("dropped", f"{name} is missing") for name in sorted(lost)]
    return seen, findings


def _digest(path: Path, folder: Path) -> str:
    return str(described(path, folder)["sha256"])
