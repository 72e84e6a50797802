"""Check the record of a use case without trusting who made it. Needs Python 3.11 or newer, and `pip install cryptography`.

    python verify.py [FOLDER] [--key KEY] [--witness CHECKPOINTS] [--proof FILE]

FOLDER is what `slipway audit export` wrote, by default the one that this file lies in. It holds `entries.jsonl` (one entry a
line), `hashes` (their leaf hashes, 32 bytes each), `checkpoints/` (signed notes) and `key.txt` (who signs). Entries are the
leaves of a Merkle tree (RFC 6962); a checkpoint signs how many there are and what their root hash is (C2SP signed note and
tlog-checkpoint, Ed25519). KEY is the key as you were told it in another way. CHECKPOINTS is the folder of a witness, or one
of its files: against what it holds even whoever has the signing key can change nothing. FILE is what `slipway audit why
--json` printed, and is held against the record: that the prediction is in it as it is shown. The exit status is 0 if all
holds, 1 if something does not, and 2 if something cannot be read.
"""

from __future__ import annotations

import argparse
import base64
import difflib
import hashlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ED25519 = b"\x01"
SIGNED = "\u2014 "


class Unreadable(ValueError):
    """What is given is no record, key, checkpoint or proof; the message says which, and why."""


class Key(NamedTuple):
    """A verifier's key, `NAME+ID+BASE64`: `name` is the origin of its checkpoints, `id` stands before each signature."""

    name: str
    id: bytes
    public: bytes


class Checkpoint(NamedTuple):
    """That the first `size` entries of `origin` have this Merkle root, said at `time`; of its `note`, `text` is signed."""

    origin: str
    size: int
    root: bytes
    time: str
    text: str
    signatures: tuple[tuple[str, bytes], ...]
    note: str


class Finding(NamedTuple):
    """Something that does not hold: `what` was done (changed, dropped, inserted, reordered, cut, rewritten, forged, ...)."""

    what: str
    why: str


# --- Merkle tree (RFC 6962, section 2.1) ---


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf.

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """The root above these leaf hashes; of none the hash of nothing.

    >>> root_hash([]).hex()[:16]
    'e3b0c44298fc1c14'
    """
    return roots_at(leaves, [len(leaves)])[len(leaves)]


def roots_at(leaves: Sequence[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """The root above the first `size` leaves, for each size; one pass over them."""
    wanted = {size for size in sizes if size <= len(leaves)}
    found, peaks = {0: hashlib.sha256(b"").digest()} if 0 in wanted else {}, []
    for size, leaf in enumerate(leaves[: max(wanted, default=0)], start=1):
        peaks.append(leaf)
        for _ in range((size & -size).bit_length() - 1):  # as many whole trees of the same height have become one
            right = peaks.pop()
            peaks.append(node_hash(peaks.pop(), right))
        if size in wanted:
            root = peaks[-1]
            for peak in reversed(peaks[:-1]):
                root = node_hash(peak, root)
            found[size] = root
    return found


def root_of_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2); None where it has another length."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(beside, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, beside)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def is_consistent(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the tree of `second` leaves begins with that of `first`, by a proof (RFC 9162, section 2.1.4.2)."""
    if first == 0 or first == second:
        return not path and (first == 0 or first_root == second_root)
    if not 0 < first < second or not path:
        return False
    rest = list(path) if first & (first - 1) else [first_root, *path]
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = rest[0]
    for beside in rest[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(beside, old), node_hash(beside, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, beside)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


# --- Signed checkpoints (C2SP: signed-note, tlog-checkpoint) ---


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes that stand before every signature of this key."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def parse_key(text: str) -> Key:
    """A verifier's key, as `key.txt` holds it.

    Raises:
        Unreadable: it is none.
    """
    name, _, rest = text.strip().partition("+")
    given, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        data = b""
    if len(data) != 33 or data[:1] != ED25519 or key_id(name, data[1:]).hex() != given:
        raise Unreadable(f"{text.strip()[:80]!r} is no key; one looks like 'slipway-0123abcd/loans+0123abcd+AbCd...='")
    return Key(name, bytes.fromhex(given), data[1:])


def parse_checkpoint(note: str) -> Checkpoint:
    """A signed note that is a checkpoint.

    Raises:
        Unreadable: it is none.
    """
    text, _, signed = note.partition("\n\n")
    lines = text.split("\n")
    try:
        origin, size, root, time = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True), lines[3]
        signatures = tuple(_signature(line) for line in signed.splitlines())
    except (IndexError, ValueError):
        raise Unreadable(f"not a signed checkpoint: {note[:60]!r}") from None
    if len(root) != 32 or size < 0 or not time.startswith("time "):
        raise Unreadable(f"not a signed checkpoint: {note[:60]!r}")
    return Checkpoint(origin, size, root, time.removeprefix("time "), f"{text}\n", signatures, note)


def _signature(line: str) -> tuple[str, bytes]:
    if not line.startswith(SIGNED):
        raise ValueError(line)
    name, _, encoded = line.removeprefix(SIGNED).rpartition(" ")
    return name, base64.b64decode(encoded, validate=True)


def why_not_signed(checkpoint: Checkpoint, key: Key) -> Finding | None:
    """What is wrong with a checkpoint's signature; None where this key has signed it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    named = f"the checkpoint of {checkpoint.time} (size {checkpoint.size})"
    if checkpoint.origin != key.name:
        return Finding("another home", f"{named} is of {checkpoint.origin!r}, and this record is of {key.name!r}")
    ours = [data[4:] for name, data in checkpoint.signatures if (name, data[:4]) == (key.name, key.id)]
    if not ours:
        return Finding("forged", f"{named} has no signature of the key {key.id.hex()}")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(ours[0], checkpoint.text.encode())
    except InvalidSignature:
        return Finding("forged", f"the signature of {named} is not that of the key {key.id.hex()}: it was changed")
    return None


# --- The record: entries, their hashes and what was signed ---


def differences(
    expected: Sequence[bytes], found: Sequence[bytes], thing: str, first: int = 0, grows: bool = False
) -> list[Finding]:
    """What was done to a list, where: changed, dropped, inserted, reordered, or cut at the end.

    Places are counted from `first`; a list that `grows` may have more at its end.

    >>> differences([b"a", b"b", b"c"], [b"a", b"c", b"b"], "line")
    [Finding(what='reordered', why='lines 1 to 2 stand in another order')]
    >>> differences([b"a", b"b"], [b"a"], "line")
    [Finding(what='cut', why='line 1 is missing: the end was cut off')]
    """

    def told(what: str, begin: int, end: int, one: str, many: str) -> Finding:
        return Finding(what, _numbered(thing, first + begin, first + end, one, many))

    if grows and Counter(found[: len(expected)]) == Counter(expected):
        found = found[: len(expected)]
    shorter = min(len(expected), len(found))
    begin = next((n for n in range(shorter) if expected[n] != found[n]), shorter)
    same = next((n for n in range(shorter - begin) if expected[-1 - n] != found[-1 - n]), shorter - begin)
    old, new = expected[begin : len(expected) - same], found[begin : len(found) - same]
    if old and not new and not same:
        return [told("cut", begin, len(expected), "is missing: the end was cut off", "are missing: the end was cut off")]
    if old and Counter(old) == Counter(new):
        return [told("reordered", begin, begin + len(old), "stands in another order", "stand in another order")]
    findings = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "replace":
            findings.append(told("changed", begin + a, begin + b, "is not what was recorded", "are not what was recorded"))
            a, c = b, min(d, c + b - a)  # what stands there beyond them was never recorded
        if what == "delete":
            findings.append(told("dropped", begin + a, begin + b, "is missing", "are missing"))
        elif what != "equal" and c < d and not (grows and begin + d == len(found)):
            findings.append(told("inserted", begin + c, begin + d, "was never recorded", "were never recorded"))
    return findings


def _numbered(thing: str, begin: int, end: int, one: str, many: str) -> str:
    """
    >>> _numbered("entry", 3, 4, "is", "are"), _numbered("entry", 3, 6, "is", "are")
    ('entry 3 is', 'entries 3 to 5 are')
    """
    plural = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{thing} {begin} {one}" if end - begin == 1 else f"{plural} {begin} to {end - 1} {many}"


def check_tree(
    entries: Sequence[bytes], hashes: Sequence[bytes], notes: Sequence[str], key: Key, witnessed: Sequence[str] = ()
) -> list[Finding]:
    """Everything that does not hold of a record; nothing where it is what was signed and witnessed."""
    leaves = [leaf_hash(entry) for entry in entries]
    own, findings = _signed(notes, key, "checkpoint")
    outside, wrong = _signed(witnessed, key, "witnessed checkpoint")
    findings += wrong + _out_of_order(own)
    newest = max(own, key=lambda each: each.size, default=None)
    if newest is None:
        return [*findings, Finding("unsigned", f"no valid checkpoint stands for these {len(entries)} entries")]
    as_signed = roots_at(hashes, [newest.size]).get(newest.size) == newest.root
    told = differences(hashes[: newest.size], leaves, "entry") if as_signed else _held(leaves, own)
    if not as_signed and not told:
        told = [Finding("changed", "the file of hashes is not that of the entries, which are as they were signed")]
    findings += told
    if not told:  # else what a witness has seen differs for the same reason
        findings += _rewritten(leaves, own, outside)
    return findings


def _signed(notes: Sequence[str], key: Key, thing: str) -> tuple[list[Checkpoint], list[Finding]]:
    good, findings = [], []
    for number, note in enumerate(notes):
        try:
            checkpoint = parse_checkpoint(note)
        except Unreadable as error:
            findings.append(Finding("forged", f"{thing} {number}: {error}"))
            continue
        wrong = why_not_signed(checkpoint, key)
        if wrong is None:
            good.append(checkpoint)
        else:
            findings.append(wrong)
    return good, findings


def _out_of_order(own: Sequence[Checkpoint]) -> list[Finding]:
    return [
        Finding(
            "reordered", f"the checkpoint of {after.time} stands behind that of {before.time}, and is of an earlier state"
        )
        for before, after in itertools.pairwise(own)
        if after.size < before.size or after.time < before.time
    ]


def _held(leaves: Sequence[bytes], own: Sequence[Checkpoint]) -> list[Finding]:
    """Where the hashes are no help: between which checkpoints the entries stop being what was signed."""
    roots, before = roots_at(leaves, [each.size for each in own]), 0
    for each in sorted(own, key=lambda each: each.size):
        if each.size > len(leaves):
            gone = f"the checkpoint of {each.time} is of {each.size} entries, and there are {len(leaves)}"
            return [Finding("cut", f"{gone}: the end was cut off")]
        if roots[each.size] != each.root:
            span = f"entries {before} to {each.size - 1}, and their hashes with them,"
            return [Finding("changed", f"{span} are not those that the checkpoint of {each.time} signed")]
        before = each.size
    return []


def _rewritten(leaves: Sequence[bytes], own: Sequence[Checkpoint], outside: Sequence[Checkpoint]) -> list[Finding]:
    """What the key has signed before, or a witness has seen, and this record, though its last signature holds, is not."""
    roots, findings = roots_at(leaves, [each.size for each in (*own, *outside)]), []
    for each in own:
        if roots.get(each.size) != each.root:
            seen = f"the record's own checkpoint of {each.time}, signed with the same key:"
            findings.append(Finding("rewritten", f"{seen} the first {each.size} entries were others then"))
    known = {each.text for each in own}
    for each in outside:
        seen = f"a witness holds the checkpoint of {each.time}, signed with the same key:"
        if each.size > len(leaves):
            findings.append(Finding("cut", f"{seen} {each.size} entries, and there are {len(leaves)}"))
        elif roots[each.size] != each.root:
            findings.append(Finding("rewritten", f"{seen} the first {each.size} entries were others then"))
        elif each.text not in known:
            findings.append(Finding("dropped", f"{seen} it is not among the record's own"))
    return findings


# --- What `slipway audit why` shows ---


def check_proof(proof: dict[str, Any], key: Key, witnessed: Sequence[str] = ()) -> list[Finding]:
    """Whether an entry is in the tree that a checkpoint signed; of a record's row, also whether it is among the entry's.

    Each witnessed checkpoint must be the same one, or the one that the proof says the tree has only grown `since`.
    """
    try:
        checkpoint, entry = parse_checkpoint(proof["checkpoint"]), proof["entry"].encode()
        path, index = _hashes(proof["path"]), int(proof["index"])
        findings = [wrong] if (wrong := why_not_signed(checkpoint, key)) else []
        if root_of_inclusion(leaf_hash(entry), index, checkpoint.size, path) != checkpoint.root:
            why = f"entry {index} is not in the tree that the checkpoint of {checkpoint.time} signed"
            findings.append(Finding("changed", why))
        elif "record" in proof:
            findings += _check_row(proof, json.loads(entry)["event"])
        outside, wrong_ones = _signed(witnessed, key, "witnessed checkpoint")
        return [*findings, *wrong_ones, *(each for old in outside for each in _check_since(proof, checkpoint, old))]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"not a proof: {error!r}") from None


def _check_since(proof: dict[str, Any], new: Checkpoint, old: Checkpoint) -> list[Finding]:
    since = proof.get("since", {"size": new.size, "path": []})
    seen = f"a witness holds the checkpoint of {old.time} (size {old.size}), signed with the same key:"
    if old.size > new.size:
        return [Finding("cut", f"{seen} the tree of the proof has {new.size} entries")]
    if since["size"] != old.size and old.size != new.size:
        return [Finding("not shown", f"{seen} the proof says nothing of it; 'slipway audit why --since FILE' does")]
    path = _hashes(since["path"]) if old.size != new.size else []
    if not is_consistent(old.size, new.size, old.root, new.root, path):
        return [Finding("rewritten", f"{seen} the tree of the proof does not begin with that one")]
    return []


def _hashes(texts: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in texts]


def _check_row(proof: dict[str, Any], event: dict[str, Any]) -> list[Finding]:
    """Whether the record is a row of the part whose rows' root the entry holds."""
    leaf, path = leaf_hash(proof["record"].encode()), _hashes(proof["row_path"])
    if root_of_inclusion(leaf, proof["row"], event["rows"], path) != bytes.fromhex(event["root"]):
        return [Finding("changed", f"the record is not row {proof['row']} of {event['part']} as it was entered")]
    return []


def read_notes(path: Path) -> list[str]:
    """The checkpoints of a folder, a file each, oldest first; or the one of a file.

    Raises:
        Unreadable: it is not there.
    """
    try:
        return [each.read_text("utf-8") for each in (sorted(path.glob("*.txt")) if path.is_dir() else [path])]
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path}: no checkpoints ({error})") from None


def read_record(folder: Path) -> tuple[list[bytes], list[bytes], list[str]]:
    """Entries, hashes and checkpoints.

    Raises:
        Unreadable: a file is missing.
    """
    try:
        entries, hashes = (folder / "entries.jsonl").read_bytes(), (folder / "hashes").read_bytes()
    except OSError as error:
        raise Unreadable(f"{folder} holds no record: {error}") from None
    split = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    return entries.split(b"\n")[:-1], split, read_notes(folder / "checkpoints")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was checked, and what does not hold."""
    parser = argparse.ArgumentParser(description="Check an exported record; the text at the top of this file says how.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--key", help="the key that you know by another way; default: the record's own key.txt")
    parser.add_argument("--witness", type=Path, action="append", default=[], help="checkpoints that a witness has kept")
    parser.add_argument("--proof", type=Path, help="what 'slipway audit why --json' printed")
    given = parser.parse_args(arguments)
    try:
        said, findings = _check(given)
    except (Unreadable, OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for finding in findings:
        print(f"{finding.what}: {finding.why}")
    print(said)
    print("does NOT hold" if findings else "all of it holds")
    return 1 if findings else 0


def _check(given: argparse.Namespace) -> tuple[str, list[Finding]]:
    """What was checked, in a sentence, and what does not hold."""
    record = not given.proof or (given.folder / "entries.jsonl").exists()
    own = (given.folder / "key.txt").read_text() if record else given.key
    if not own:
        raise Unreadable("a proof without a record needs --key, the key as you were told it")
    key, findings, said = parse_key(given.key or own), [], []
    witnessed = [note for path in given.witness for note in read_notes(path)]
    if parse_key(own) != key:
        findings.append(Finding("another key", f"key.txt is {own.strip()}, and you know {given.key}"))
    if record:
        entries, hashes, notes = read_record(given.folder)
        findings += check_tree(entries, hashes, notes, key, witnessed)
        said.append(f"{len(entries)} entries and {len(notes)} checkpoints of {key.name}")
    if given.proof:
        findings += check_proof(json.loads(given.proof.read_text("utf-8"))["proof"], key, () if record else witnessed)
        said.append(f"the proof of {given.proof}")
    seen = f"{len(witnessed)} witnessed checkpoints" if witnessed else "no witness: who holds the key could rewrite it all"
    return f"{' and '.join(said)}, by the key {key.id.hex()}; {seen}", findings


if __name__ == "__main__":
    sys.exit(main())
