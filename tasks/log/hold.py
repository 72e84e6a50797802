"""Legal hold: what a court may want to see of a person is neither erased nor dropped by age until somebody lifts it.

`use_cases/NAME/holds.json` (mode 0600) has the conditions in the clear while a hold stands. A keyed hash would hide the
value from nobody who reads the log, which has it, and a hold under a key that was changed since (`SLIPWAY_LOG_PEPPER`)
would find nobody any more, in silence. The history, which is for good, has the hash only; and by it a hold that was taken
out of the file is missed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.errors import CheckFailed, InputError
from configs.files import write_atomically
from configs.settings import prediction_log, use_case_home
from serving.log.writer import hashed
from tasks.history import read_history, record
from tasks.log.conditions import Condition, is_keyed, keyed, matching, meets
from tasks.log.files import maintaining
from tasks.log.rewrite import belongs
from tasks.store import Value

WHAT = "hold"


class Hold(Value):
    """One that stands: of the predictions that meet every condition, since when, by whom, why.

    `salt` is what the history's hash of the conditions is made with: whoever has the file can check it, without other keys.
    """

    id: str
    where: tuple[Condition, ...]
    salt: str
    since: str
    by: str
    reason: str

    @property
    def seal(self) -> str:
        """What the history knows of whom it is on."""
        return hashed(sorted(map(list, self.where)), self.salt.encode())

    @property
    def told(self) -> str:
        """Without whose it is."""
        return f"legal hold {self.id} since {self.since[:16]}, by {self.by}: {self.reason}"


class Kept(Value):
    """The records under any hold: SQL over rows of the log and a table `ids`, its parameters, and those ids."""

    clause: str
    values: list[Any]
    ids: list[str]


def standing(use_case: str) -> list[Hold]:
    """The holds that stand, oldest first.

    Raises:
        CheckFailed: the file cannot be read, or lacks one that the history has: nothing may go until that is mended.
    """
    holds, path = _read(use_case), _path(use_case)
    lost = sorted(_open(use_case).keys() - {hold.id for hold in holds})
    if lost:
        raise CheckFailed(
            f"{path} lacks legal hold {lost[0]}, which the history of {use_case} has, so nothing is erased or dropped: put "
            f"the file back, or place the hold again"
        )
    return holds


def place(use_case: str, conditions: Sequence[Condition], reason: str, by: str) -> Hold:
    """Hold what meets the conditions, from now on. It waits for an erasure, or maintenance, that goes on.

    Raises:
        InputError: it is held already.
    """
    where = tuple(conditions)
    with maintaining(prediction_log(use_case)):  # an erasure that goes on does not know of it
        holds, open_ = _read(use_case), _open(use_case)
        same = next((hold for hold in holds if set(hold.where) == set(where)), None)
        if same and same.id in open_:
            raise InputError(f"{_text(where)} of {use_case!r} is held already: {same.told}")
        again = next((id_ for id_, entry in open_.items() if is_keyed(use_case, where, entry["where"])), None)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        id_ = again or secrets.token_hex(4)
        hold = same or Hold(id=id_, where=where, salt=secrets.token_hex(16), since=now, by=by, reason=reason)
        _write(use_case, [*(each for each in holds if each.id != hold.id), hold])
        record(use_case, WHAT, reason, move="placed", hold=hold.id, where=keyed(use_case, where), seal=hold.seal, by=by)
    return hold


def lift(use_case: str, conditions: Sequence[Condition], reason: str, by: str) -> Hold:
    """What meets the conditions may go again.

    Raises:
        InputError: no hold has these conditions.
    """
    with maintaining(prediction_log(use_case)):
        holds = _read(use_case)
        hold = next((each for each in holds if set(each.where) == set(conditions)), None)
        if hold is None:
            raise InputError(f"no legal hold of {use_case!r} is on {_text(conditions)}, so there is nothing to lift")
        record(use_case, WHAT, reason, move="lifted", hold=hold.id, where=keyed(use_case, conditions), by=by)
        _write(use_case, [each for each in holds if each is not hold])
    return hold


def refuse_held(use_case: str, conditions: Sequence[Condition]) -> None:
    """Raise where a hold has any prediction that meets the conditions.

    Raises:
        CheckFailed: saying how many, and whose word it is.
    """
    holds = standing(use_case)
    ids = set(matching(use_case, conditions)) if holds else set()
    for hold in holds:
        held = ids & set(matching(use_case, hold.where))
        if held or set(hold.where) == set(conditions):  # also where only copies are left
            raise CheckFailed(
                f"{len(held):,} of these {len(ids):,} predictions of {use_case} are under {hold.told}; nothing was erased. "
                f"'slipway audit hold {use_case} FIELD=VALUE --lift --reason ...' lifts it"
            )


def kept(use_case: str) -> Kept | None:
    """What retention must leave; None where nothing is held."""
    holds = standing(use_case)
    if not holds:
        return None
    clauses, values, ids = [], [], set[str]()
    for hold in holds:
        clause, needed = meets(use_case, hold.where)
        clauses.append(f"({clause})")
        values += needed
        ids |= set(matching(use_case, hold.where))
    return Kept(clause=belongs(" or ".join(clauses)), values=values, ids=sorted(ids))


def wrong_holds(use_case: str) -> list[tuple[str, str]]:
    """What the file of holds says otherwise than the history, each with what was done, as the audit names it."""
    try:
        holds = {hold.id: hold for hold in _read(use_case)}
    except CheckFailed as error:
        return [("changed", str(error))]
    open_ = _open(use_case)
    found = [("dropped", f"legal hold {id_} is not in {_path(use_case).name}") for id_ in open_.keys() - holds.keys()]
    found += [("inserted", f"legal hold {id_} was placed by no command") for id_ in holds.keys() - open_.keys()]
    found += [
        ("changed", f"legal hold {id_} is not on whom it was placed")
        for id_ in open_.keys() & holds.keys()
        if holds[id_].seal != open_[id_]["seal"]
    ]
    return sorted(found)


def _open(use_case: str) -> dict[str, dict[str, Any]]:
    """The holds that the history says stand: the last entry of each, by id."""
    last = {entry["hold"]: entry for entry in read_history(use_case, WHAT)}
    return {id_: entry for id_, entry in last.items() if entry["move"] == "placed"}


def _read(use_case: str) -> list[Hold]:
    path = _path(use_case)
    if not path.exists():
        return []
    if (mode := path.stat().st_mode & 0o777) & 0o077:
        raise CheckFailed(f"{path} names persons, and can be read by others (mode {mode:o}); chmod 600 it")
    try:
        return [Hold.model_validate(each) for each in json.loads(path.read_bytes())]
    except (ValueError, ValidationError) as error:
        raise CheckFailed(f"{path} is no file of legal holds ({' '.join(str(error).split())[:200]})") from None


def _write(use_case: str, holds: Sequence[Hold]) -> None:
    content = json.dumps([hold.model_dump(mode="json") for hold in holds], indent=1)
    write_atomically(_path(use_case), content.encode(), mode=0o600)


def _path(use_case: str) -> Path:
    return use_case_home(use_case) / "holds.json"


def _text(conditions: Sequence[Condition]) -> str:
    return " and ".join(f"{each.field}={each.value}" for each in conditions)
