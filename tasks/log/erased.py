"""Whether a prediction was erased: the ledger holds a keyed hash of each id, and nothing else of it."""

from __future__ import annotations

from configs.errors import CheckFailed
from serving.log.writer import hashed
from tasks.log.keys import hash_keys
from tasks.log.ledger import read_ledger


class Erased(CheckFailed):
    """Nothing of the prediction is kept but that it was there."""


def refuse_erased(use_case: str, prediction_id: str) -> None:
    """Raise where a prediction of that id was erased.

    Raises:
        Erased: it was, and when.
    """
    hashes = {hashed(prediction_id, key) for key in hash_keys(use_case)}
    for line in read_ledger(use_case):
        if line["what"] == "erased" and hashes & set(line["predictions"]):
            raise Erased(
                f"prediction {prediction_id} of {use_case} was erased on {line['time'][:16]}; nothing of it is kept but that"
            )
