"""Erasure of one subject's records from the prediction log, for privacy law (GDPR, article 17). Audited.

Runs outside Prefect, which would keep the subject's identifier among the parameters of its flow runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.errors import CheckFailed
from configs.settings import prediction_log
from serving.log.writer import hashed
from tasks.history import record
from tasks.log.collected import windows_of
from tasks.log.conditions import Condition, keyed, matching, meets
from tasks.log.files import parts
from tasks.log.hold import refuse_held
from tasks.log.keys import hash_keys
from tasks.log.ledger import described, note
from tasks.log.reviews import forget_events
from tasks.log.rewrite import belongs, take_out
from tasks.log.table_rows import window_rows
from tasks.store import Value


class Erasure(Value):
    """What was taken out: predictions, the labels that belonged to them, the collected windows that held copies, what
    shadows said of the same rows, and what people decided about them (`reviews` events of the journal)."""

    predictions: int
    labels: int
    windows: int
    shadows: int = 0
    reviews: int = 0


def erase(use_case: str, conditions: list[Condition], reason: str, by: str = "") -> Erasure:
    """Take every matching prediction, its labels, its shadows' answers and its copies out of parts and collected windows.

    Call it within `log_files.maintaining`, after `rotate` and `compact`. What arrives meanwhile is not erased.

    Raises:
        CheckFailed: a legal hold has one of them, and nothing was erased; or afterwards the log still holds a match (a
            damaged segment, or new requests of the subject).
    """
    refuse_held(use_case, conditions)
    folder, ids = prediction_log(use_case), set(matching(use_case, conditions))
    counts = {"prediction": 0, "feedback": 0, "shadow": 0, "review": 0}
    # First what people said, which only the log's own records lead to: where this is killed, the next run finds it.
    said = forget_events(use_case, lambda about, _: about in ids) if ids else 0
    for part in parts(folder) if ids else []:
        for kind, count in _take_out(use_case, part, ids, *meets(use_case, conditions)).items():
            counts[kind] += count
    windows = _drop_windows(use_case, conditions, ids)
    done = Erasure(
        predictions=counts["prediction"],
        labels=counts["feedback"],
        windows=windows,
        shadows=counts["shadow"],
        reviews=said,
    )
    record(use_case, "log-erasure", reason, by=by, where=keyed(use_case, conditions), **done.model_dump())
    left = matching(use_case, conditions)
    if left:
        raise CheckFailed(f"{len(left)} matches are in segments still; see 'slipway log verify', and run this again")
    return done


def _take_out(use_case: str, part: Path, ids: set[str], clause: str, values: list[Any]) -> dict[str, int]:
    """The part without these predictions, their labels and their shadows' answers; how many of each it held."""

    def tell(after: dict[str, Any] | None, gone: list[str]) -> None:
        key = hash_keys(use_case)[0]
        hashes = sorted(hashed(each, key) for each in gone)  # whose: so that who asks for one is told that it was erased
        note(use_case, "erased", part=described(part, prediction_log(use_case)), after=after, predictions=hashes)

    return take_out(use_case, part, belongs(clause), values, ids, tell)


def _drop_windows(use_case: str, conditions: list[Condition], ids: set[str]) -> int:
    """Collected windows are copies that monitoring makes again when it needs them; also of what the log has no more."""
    held = [window for window in windows_of(use_case) if window_rows(window, conditions, ids)]
    for window in held:
        window.unlink()
    return len(held)
