"""Prove: that a record of the prediction log is in the audit record, as what `outside.check_proof` checks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks.audit.merkle import consistency_proof, inclusion_proof
from tasks.audit.outside import Checkpoint, Unreadable, check_proof, leaf_hash, parse_checkpoint
from tasks.audit.rows import kept_hashes
from tasks.audit.signing import audit_key
from tasks.audit.tree import own_notes, read_entries
from tasks.log.find import Found


class Proof(NamedTuple):
    """`data` is the proof, where there is one; `told` says what is proven, `wrong` what does not hold."""

    data: dict[str, Any] | None
    told: str
    wrong: str = ""


def prove(use_case: str, found: Found, since: Checkpoint | None) -> Proof:
    """The proof of a record under the last checkpoint; with `since`, also that the record has only grown since that one."""
    entries, notes = read_entries(use_case), own_notes(use_case)
    if not notes:
        return Proof(
            None, f"not proven: nothing is signed; 'slipway audit checkpoint {use_case}' makes the first checkpoint"
        )
    try:
        checkpoint = parse_checkpoint(notes[-1])
    except Unreadable as error:
        return Proof(None, "not proven: the last checkpoint is damaged", f"forged: {error}")
    entries = entries[: checkpoint.size]
    about = _entry_about(entries, found)
    if about is None:
        return Proof(None, "not proven yet: its file was not in the record at the last checkpoint; the next one signs it")
    index, event = about
    said = f"by entry {index} under the checkpoint of {checkpoint.time} ({checkpoint.size} entries)"
    data = {**_of_entry(entries, index, since), "checkpoint": notes[-1]}
    if found.row is None:
        told = f"its segment, {found.file.name}, is proven {said}; its row will be, once the segment is compacted"
    elif (row := _of_row(use_case, found, event["sha256"])) is None:
        return Proof(None, "not proven: the hashes of its part are missing; the next checkpoint makes them again")
    else:
        data |= row
        told = f"row {found.row} of {event['part']} is proven {said}"
    wrong = check_proof(data, audit_key(use_case), [since.note] if since else [])
    return Proof(data, told, "; ".join(f"{each.what}: {each.why}" for each in wrong))


def _of_entry(entries: Sequence[bytes], index: int, since: Checkpoint | None) -> dict[str, Any]:
    leaves = [leaf_hash(entry) for entry in entries]
    data = {"entry": entries[index].decode(), "index": index, "path": _texts(inclusion_proof(leaves, index))}
    if since is not None and since.size <= len(leaves):  # of a record that was cut the check says so
        data["since"] = {"size": since.size, "path": _texts(consistency_proof(leaves, since.size))}
    return data


def _of_row(use_case: str, found: Found, sha256: str) -> dict[str, Any] | None:
    hashes = kept_hashes(use_case, sha256)
    if hashes is None or found.row is None or found.row >= len(hashes):
        return None
    return {"record": found.text, "row": found.row, "row_path": _texts(inclusion_proof(hashes, found.row))}


def _entry_about(entries: Sequence[bytes], found: Found) -> tuple[int, dict[str, Any]] | None:
    """The last entry of the rows of its part; of a segment, that it was closed."""
    name, part = found.file.name, f"{found.file.parent.name}/{found.file.name}"
    for index in range(len(entries) - 1, -1, -1):
        if name.encode() not in entries[index]:
            continue
        try:
            entry = json.loads(entries[index])
        except ValueError:  # it was changed: the proof of another one will not hold
            continue
        source, event = entry["source"], entry["event"]
        if found.row is not None and source == "rows" and event["part"] == part:
            return index, event
        if found.row is None and source == "log" and event["what"] == "closed" and event["segment"]["name"] == name:
            return index, event
    return None


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return [each.hex() for each in hashes]
