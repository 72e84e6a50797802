"""What was refused, for the prediction log: counts by reason, a few records however many requests there were.

A flood of wrong requests must not become a flood of records. So a worker counts, and writes its counts twice a second; a
killed one loses at most those of the last half second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from serving.contract.contract import ContractError
from serving.log.writer import Refused
from serving.refusal import Refusal

CONTRACT = 422  # whatever a protocol answers to values that the contract does not allow
NOT_COUNTED = frozenset({401, 403, 404, 499})  # strangers, other models, and clients that went away
MOST = 100  # different reasons at a time; a client may choose its caller's name
WRONG = (ContractError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # ValidationError is a DecodeError


class Refusals:
    """One worker's counts since it last wrote them.

    >>> refusals = Refusals(["size"])
    >>> refusals.count(ContractError("must be a number", "size", 0), "shop")
    >>> [(each.status, each.feature, each.requests) for each in refusals.records("now", "now")]
    [(422, 'size', 1)]
    """

    def __init__(self, features: Iterable[str]) -> None:
        self._features = frozenset(features)
        self._counts: Counter[tuple[int, str, str]] = Counter()

    def __bool__(self) -> bool:
        return bool(self._counts)

    def count(self, error: Exception, caller: str) -> None:
        """One request that got no answer because of this error."""
        status = CONTRACT if isinstance(error, WRONG) else error.status if isinstance(error, Refusal) else 500
        if status in NOT_COUNTED:
            return
        column = getattr(error, "column", None)
        reason = status, column if column in self._features else "", caller
        self._counts[reason if reason in self._counts or len(self._counts) < MOST else (status, "", "")] += 1

    def records(self, now: str, happened: str) -> list[Refused]:
        """The counts as records: written at `now`, about events of the time `happened`."""
        counts = sorted(self._counts.items())
        return [Refused(now, happened, status, feature, caller, n) for (status, feature, caller), n in counts]

    def clear(self) -> None:
        """They are written."""
        self._counts.clear()
