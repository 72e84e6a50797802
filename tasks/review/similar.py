"""Similar: the cases of the log that are most like one, with what came of them.

Near is what differs little on average over the features that the log keeps: a number by its part of the range that the
others have, anything else by being the same or not (Gower, "A general coefficient of similarity and some of its properties",
1971; but a value that only one of two has counts as different, since that it is missing says something).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.schema import UseCase
from tasks.log.read import BUCKET, BUCKETS, LIVE, open_log
from tasks.review.rules import KINDS, field, quoted

MOST = 20_000  # of a longer log a sample is looked at, the same each time
SHOWN = 5


def similar(use_case: UseCase, prediction_id: str) -> list[dict[str, Any]]:
    """The nearest, each with its `distance` from 0 to 1, the answer, the label that came and what people decided.

    Raises:
        CheckFailed: the log cannot be read.
    """
    kinds = {name: KINDS.get(use_case.features.kinds[name], "varchar") for name in use_case.watched}
    columns = "".join(f", {field(name, kind)} as {quoted(f'feature.{name}')}" for name, kind in kinds.items())
    with open_log(use_case.name) as log:
        ((rows,),) = log.sql(f"select count(*) from log where {LIVE}").fetchall()
        part = f"{int(min(MOST / max(rows, 1), 1) * BUCKETS)}::hugeint"
        itself = f"bucket >= {part} and bucket = (select {BUCKET} from (select ? as prediction_id)) and prediction_id = ?"
        table = log.sql(
            f"""select prediction_id, time, prediction{columns} from (
                    select * from log where bucket < {part} union all select * from log where {itself})
                where {LIVE}
                qualify row_number() over (partition by prediction_id order by time) = 1""",
            params=[prediction_id, prediction_id],
        ).to_arrow_table()
        ids = table["prediction_id"].to_pylist()
        if prediction_id not in ids or not kinds:
            return []
        far = _distances([(kind, table[f"feature.{name}"]) for name, kind in kinds.items()], ids.index(prediction_id))
        far[ids.index(prediction_id)] = np.inf
        nearest = [row for row in np.argsort(far, kind="stable")[:SHOWN].tolist() if np.isfinite(far[row])]
        came = _what_came(log, [ids[row] for row in nearest])
    return [
        {
            "prediction_id": ids[row],
            "distance": round(float(far[row]), 4),
            "asked": table["time"][row].as_py().isoformat(timespec="seconds"),
            "answer": table["prediction"][row].as_py(),
            **came.get(ids[row], {"label": None, "decision": None, "decided": None}),
        }
        for row in nearest
    ]


def _distances(columns: list[tuple[str, Any]], one: int) -> np.ndarray:
    """Of every row to one, shape (rows,)."""
    total = np.zeros(len(columns[0][1]))
    for kind, column in columns:
        if kind == "double":
            values = column.to_numpy().astype(np.float64)
            known = ~np.isnan(values)
            span = np.ptp(values[known]) if known.any() else 0.0
            apart = np.abs(values - values[one]) / (span or 1.0)
            total += np.where(known & known[one], apart, known != known[one])
        else:
            values = np.array(column.to_pylist(), dtype=object)
            total += values != values[one]
    return total / len(columns)


def _what_came(log: Any, ids: list[str]) -> dict[str, dict[str, Any]]:
    """Of each the last label, and what was finally decided and how, where something came."""
    found = log.execute(
        """select prediction_id, arg_max(label, time) filter (kind = 'feedback'),
                  arg_max(decision, time) filter (kind = 'review'), arg_max(prediction, time) filter (kind = 'review')
           from log where kind in ('feedback', 'review') and prediction_id in (select unnest(?::varchar[]))
           group by prediction_id""",
        [ids],
    ).fetchall()
    return {name: {"label": label, "decision": how, "decided": answer} for name, label, how, answer in found}
