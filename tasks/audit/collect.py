"""What happened to a use case since the last checkpoint, as entries: what its journals tell, and what people have changed.

An entry is canonical JSON: `source`, which `line` of it (from 1), and the `event` itself. Sources are the files that only
grow (the history, the ledger of the prediction log, what reviewers decided, looks of rollouts and what people said to them),
and what is looked at here: the configuration and the table of people, where they are others than before, and the rows of new
parts of the log. The server pays nothing for it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configs.errors import CheckFailed
from configs.load import load_use_case, use_case_names
from configs.settings import prediction_log, use_case_home
from tasks.audit.canonical import canonical
from tasks.audit.rows import forget_hashes, kept_hashes, row_entry
from tasks.log.files import parts
from tasks.log.ledger import described, ledger_path, name_of, read_ledger, should_be
from tasks.log.review_line import entered
from tasks.log.reviews import journal_path
from tasks.people import people
from tasks.registry.lineage import digest_of
from tasks.rollouts.state import rollouts_folder

REVIEWS = "reviews"
LOOKED_AT = ("configuration", "people", "rows")


def journals(use_case: str) -> dict[str, Path]:
    """The files whose every line is an entry, by what the record calls them."""
    found = sorted(rollouts_folder(use_case).glob("*/*.jsonl"))
    rollouts = {f"rollout {path.parent.name} {path.stem}": path for path in found}
    own = {
        "history": use_case_home(use_case) / "history.jsonl",
        "log": ledger_path(use_case),
        REVIEWS: journal_path(use_case),
    }
    return own | rollouts


def journal_events(source: str, path: Path) -> list[Any]:
    """Its whole lines, each as JSON, or as text where it is none; those of reviews without what an erasure may take out."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [(entered if source == REVIEWS else _event)(line) for line in lines]


def collect(use_case: str, entries: list[bytes]) -> list[bytes]:
    """The entries to add to these. Call it while nobody maintains the log or changes the record.

    Raises:
        CheckFailed: a journal is shorter than what the record has of it.
    """
    known = [json.loads(entry) for entry in entries]
    counts = Counter(entry["source"] for entry in known)
    added: list[bytes] = []
    for source, path in journals(use_case).items():
        events, line = journal_events(source, path), counts[source]
        if len(events) < line:
            raise CheckFailed(
                f"{path} has {len(events)} lines, and {line} are in the audit record of {use_case}: its end was cut off; "
                f"'slipway audit verify {use_case}' says more, and nothing is signed until it is whole again"
            )
        added += [entry_of(source, number, event) for number, event in enumerate(events[line:], start=line + 1)]
    for source, event in _looked_at(use_case, known):
        counts[source] += 1
        added.append(entry_of(source, counts[source], event))
    return added


def entry_of(source: str, line: int, event: Any) -> bytes:
    """An entry's canonical bytes.

    >>> entry_of("history", 1, {"what": "deploy", "reason": "better"}).decode()
    '{"event":{"reason":"better","what":"deploy"},"line":1,"source":"history"}'
    """
    return canonical({"source": source, "line": line, "event": event})


def _event(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line.decode(errors="backslashreplace")


def _looked_at(use_case: str, known: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    last = {entry["source"]: entry["event"] for entry in known if entry["source"] in LOOKED_AT}
    if use_case in use_case_names():
        configuration = load_use_case(use_case).model_dump(mode="json")
        digest = digest_of(configuration)
        if last.get("configuration", {}).get("digest") != digest:
            yield "configuration", {"digest": digest, "configuration": configuration}
    table = [person.model_dump(mode="json") for person in people()]
    if last.get("people", []) != table:
        yield "people", table
    yield from (("rows", event) for event in _new_rows(use_case, known))


def _new_rows(use_case: str, known: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    folder, there = prediction_log(use_case), should_be(read_ledger(use_case)).parts
    entered = {entry["event"]["sha256"] for entry in known if entry["source"] == "rows"}
    for part in parts(folder):
        name = name_of(part, folder)
        sha256 = there.get(name, "")
        new = sha256 and (sha256 not in entered or kept_hashes(use_case, sha256) is None)
        if new and described(part, folder)["sha256"] == sha256:  # one that was changed is for `verify` to name
            event = row_entry(use_case, part, name, sha256)
            if sha256 not in entered:
                yield event
    forget_hashes(use_case, but=set(there.values()))
