"""Checkpoints: what happened is added to the record, and the record as it is then is signed, and told to the witness."""

from __future__ import annotations

from configs.errors import CheckFailed
from configs.settings import prediction_log
from tasks.audit.collect import collect
from tasks.audit.outside import Checkpoint, Unreadable, leaf_hash, parse_checkpoint, roots_at, why_not_signed
from tasks.audit.signing import audit_key, make_audit_key, signed_checkpoint
from tasks.audit.tree import add, changing, cut, keep_note, own_notes, read_entries
from tasks.audit.witness import is_witnessed, tell_witness
from tasks.log.files import maintaining
from tasks.log.ledger import note_closed
from tasks.store import Value


class Signed(Value):
    """A checkpoint: how many entries it stands for, how many of them are new, its root in hex, and what the witness got."""

    size: int
    added: int
    root: str
    witnessed: int = 0


def sign_record(use_case: str) -> Signed:
    """Collect what is new, sign the whole, tell the witness. Where nothing is new, no other checkpoint is made.

    Raises:
        CheckFailed: the record is not what was signed before, or the witness was not reached.
        InputError: the audit key is none.
    """
    with maintaining(prediction_log(use_case)), changing(use_case):
        note_closed(use_case)
        entries, last = read_entries(use_case), _last(use_case)
        if last is None:
            make_audit_key()
        _refuse_changed(use_case, entries, last)
        signed = last.size if last else 0
        if entries[
            signed:
        ]:  # a run was killed before it signed them, or nobody of ours wrote them: they are collected again
            cut(use_case, signed)
            entries = entries[:signed]
        added = collect(use_case, entries)
        add(use_case, added, entries)
        leaves = [leaf_hash(entry) for entry in (*entries, *added)]
        root = roots_at(leaves, [len(leaves)])[len(leaves)]
        if last is None or len(leaves) > last.size:
            keep_note(use_case, len(leaves), signed_checkpoint(use_case, len(leaves), root))
    told = tell_witness(use_case, audit_key(use_case)) if is_witnessed() else 0
    return Signed(size=len(leaves), added=len(added), root=root.hex(), witnessed=told)


def sign_again(use_case: str) -> None:
    """The same, where the use case has a record: what is worth a signature of its own, such as an erasure."""
    if own_notes(use_case):
        sign_record(use_case)


def _last(use_case: str) -> Checkpoint | None:
    notes = own_notes(use_case)
    try:
        return parse_checkpoint(notes[-1]) if notes else None
    except Unreadable as error:
        raise _changed(use_case, f"its last checkpoint is damaged ({error})") from None


def _refuse_changed(use_case: str, entries: list[bytes], last: Checkpoint | None) -> None:
    """A new signature must not stand above what the last one did not."""
    if last is None:
        return
    if wrong := why_not_signed(last, audit_key(use_case)):
        raise _changed(use_case, wrong.why)
    if roots_at([leaf_hash(entry) for entry in entries], [last.size]).get(last.size) != last.root:
        raise _changed(use_case, f"its entries are not those that the checkpoint of {last.time} signed")


def _changed(use_case: str, why: str) -> CheckFailed:
    more = f"'slipway audit verify {use_case}' says more"
    return CheckFailed(f"the audit record of {use_case} was changed: {why}; nothing is signed, and {more}")
