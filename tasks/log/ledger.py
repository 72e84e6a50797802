"""The ledger of a prediction log: what became of each of its files, one JSON line each, for who must show it later.

A server only ever appends to a segment; everything that maintenance does to files is written here, by digest, before what
was there is gone. So whoever reads the ledger knows which files there should be, and with which content, sealed ones as they
lie.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from configs.files import append_line
from configs.settings import prediction_log, use_case_home
from tasks.log.files import is_finished, parts, segments


def ledger_path(use_case: str) -> Path:
    """The file of its lines."""
    return use_case_home(use_case) / "log-ledger.jsonl"


def note(use_case: str, what: str, **details: Any) -> None:
    """Append a line; the first one of a ledger is told which parts were there before it."""
    begin(use_case)
    _append(ledger_path(use_case), what, **details)


def begin(use_case: str) -> None:
    """Write the first line, where there is none: the parts that are there."""
    path, folder = ledger_path(use_case), prediction_log(use_case)
    if not path.exists():
        _append(path, "begun", parts=[described(part, folder) for part in parts(folder)])


def note_closed(use_case: str) -> None:
    """Note the segments that no server writes to any more. Call it within `log_files.maintaining`."""
    begin(use_case)
    folder, known = prediction_log(use_case), should_be(read_ledger(use_case)).segments
    for segment in segments(folder):
        if is_finished(segment) and segment.name not in known:
            note(use_case, "closed", segment=described(segment, folder))


def read_ledger(use_case: str) -> list[dict[str, Any]]:
    """Every line, oldest first; what a crash tore at the end is none."""
    path = ledger_path(use_case)
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


class Files(NamedTuple):
    """The files that there should be, and those that were, by name with their SHA-256.

    `segments` are closed, `compacted` ones gone; `parts` are there, `erased` is what they were before an erasure, `dropped`
    went by retention, whole or but for what was held. `broken` says where a line begins with another content than the one
    before left.
    """

    segments: dict[str, str]
    compacted: dict[str, str]
    parts: dict[str, str]
    erased: dict[str, str]
    dropped: dict[str, str]
    broken: list[str]


def should_be(lines: Iterable[dict[str, Any]]) -> Files:
    """What the lines of a ledger come to."""
    files = Files({}, {}, {}, {}, {}, [])
    for line in lines:
        if line["what"] == "begun":
            files.parts.update({part["name"]: part["sha256"] for part in line["parts"]})
        elif line["what"] == "closed":
            files.segments[line["segment"]["name"]] = line["segment"]["sha256"]
        elif line["what"] == "compacted":
            name, sha256 = _taken(files, files.segments, files.compacted, line, line["segment"])
            files.compacted[name] = sha256
            files.parts.update({part["name"]: part["sha256"] for part in line["parts"]})
        elif line["what"] == "erased":
            name, sha256 = _taken(files, files.parts, files.erased, line, line["part"])
            files.erased[name] = sha256
            if line["after"] is not None:
                files.parts[name] = line["after"]["sha256"]
        elif line["what"] == "dropped":
            name, sha256 = _taken(files, files.parts, files.dropped, line, line["part"])
            files.dropped[name] = sha256
            if line.get("after") is not None:  # what a legal hold keeps of it
                files.parts[name] = line["after"]["sha256"]
    return files


def _taken(
    files: Files, among: dict[str, str], again: dict[str, str], line: dict[str, Any], file: dict[str, Any]
) -> tuple[str, str]:
    """The file that a line does something to: as the lines before left it, or as it was where a killed run is done again."""
    name, sha256 = file["name"], file["sha256"]
    expected = {among.pop(name, None), again.get(name)} - {None}
    if expected and sha256 not in expected:
        had = f"{name} had another content when it was {line['what']} ({line['time']}) than it was left with"
        files.broken.append(had)
    return name, sha256


def described(path: Path, folder: Path) -> dict[str, Any]:
    """A file of the log: its name, SHA-256 and bytes, as it lies there."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": name_of(path, folder), "sha256": digest, "bytes": path.stat().st_size}


def name_of(path: Path, folder: Path) -> str:
    """How the ledger calls a file: `predictions-....jsonl`, or `day=2026-11-24/predictions-....parquet`."""
    return path.relative_to(folder / "compacted" if path.parent.name.startswith("day=") else folder).as_posix()


def _append(path: Path, what: str, **details: Any) -> None:
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "what": what, **details}
    append_line(path, json.dumps(line).encode())
