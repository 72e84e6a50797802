"""What the prediction log of this home knows of predictions that somebody has outcomes of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from tasks.log.outcomes import ID, LABEL
from tasks.log.read import open_log


class Standing(NamedTuple):
    """Of that many outcomes the log holds the prediction; `stranger` is the first of those it does not hold.

    Of the labels, `changed` are others than the last one before, and `same` the same.
    """

    known: int
    stranger: str | None
    changed: int
    same: int


def standing(use_case: str, told: Sequence[dict[str, Any]]) -> Standing:
    """Held against the log as it is now, before they are sent.

    Raises:
        CheckFailed: the log is encrypted and the key does not open it.
    """
    import pyarrow as pa

    ids = pa.array([each[ID] for each in told], pa.string())
    labels = pa.array([_logged(each[LABEL]) if LABEL in each else None for each in told], pa.string())
    with open_log(use_case) as log:
        log.register("told", pa.table({"place": range(len(told)), ID: ids, LABEL: labels}))
        ours = "prediction_id in (select prediction_id from told)"
        found = log.sql(f"""
            with asked as (select distinct prediction_id from log where kind = 'prediction' and {ours}),
            before as (
                select prediction_id, arg_max(label, time) as label from log
                where kind = 'feedback' and label is not null and {ours} group by prediction_id)
            select count(asked.prediction_id),
                   arg_min(told.prediction_id, place) filter (asked.prediction_id is null),
                   count(*) filter (before.label != told.label), count(*) filter (before.label = told.label)
            from told left join asked on asked.prediction_id = told.prediction_id
                      left join before on before.prediction_id = told.prediction_id""").fetchall()
    return Standing(*found[0])


def _logged(label: Any) -> str:
    """A label as a query reads it in the log."""
    return label if isinstance(label, str) else msgspec.json.encode(label).decode()
