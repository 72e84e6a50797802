"""Windows: which slices of the prediction log are closed, and the rows of one, joined with the labels that arrived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from configs.schema import UseCase, parse_duration
from serving.contract import Contract
from tasks.clock import current_time
from tasks.prediction_log import LIVE, open_log
from tasks.values import Bounds


def closed_windows(use_case: UseCase) -> list[Bounds]:
    """Every window of the log that can get no more requests, oldest first."""
    window, count, first = use_case.monitoring.window, 0, None
    with open_log(use_case.name) as log:
        if window.endswith("rows"):
            ((count,),) = log.sql(f"select count(distinct prediction_id) from log where {LIVE}").fetchall()
        else:
            ((first,),) = log.sql(f"select min(event_time) from log where {LIVE}").fetchall()
    if window.endswith("rows"):
        size = int(window.split()[0])
        return [
            Bounds(name=f"rows-{start}-{start + size - 1}", start=str(start), end=str(start + size))
            for start in range(0, count - size + 1, size)
        ]
    if first is None:
        return []
    now = current_time(use_case) or datetime.now(UTC)
    return [
        Bounds(name=name, start=start.isoformat(), end=end.isoformat())
        for name, start, end in calendar(window, first.replace(tzinfo=UTC), now)
    ]


def calendar(window: str, first: datetime, now: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """The closed windows between the first event and now, aligned to months or to the Unix epoch.

    >>> from datetime import datetime, UTC
    >>> [name for name, *_ in calendar("1 month", datetime(2013, 3, 9, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC))]
    ['2013-03', '2013-04']
    """
    if window == "1 month":
        start = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        while (end := (start + timedelta(days=32)).replace(day=1)) <= now:
            yield start.strftime("%Y-%m"), start, end
            start = end
        return
    length = parse_duration(window)
    start = datetime.fromtimestamp(first.timestamp() // length.total_seconds() * length.total_seconds(), UTC)
    while (end := start + length) <= now:
        yield start.strftime("%Y-%m-%dT%H%M"), start, end
        start = end


def read_window(use_case: UseCase, bounds: Bounds, contract: Contract) -> tuple[Any, int]:
    """A window's rows as an Arrow table, and how many torn lines the log has.

    The columns are time, prediction_id, version, probability (of the positive class), target (1, 0, or null while no
    label has come; of several the last counts) and the features. A prediction that was logged twice, because a client
    or the gateway sent it again, counts once.
    """
    if bounds.start.isdigit():
        chosen = f"position >= {bounds.start} and position < {bounds.end}"
    else:
        chosen = f"event_time >= timestamp '{bounds.start[:19]}' and event_time < timestamp '{bounds.end[:19]}'"
    features = ", ".join(f'p.features."{name}" as "{name}"' for name in contract.names)
    query = f"""
        with once as (
            select * from log where {LIVE} qualify row_number() over (partition by prediction_id order by time) = 1
        ), predictions as (
            select *, row_number() over (order by time, prediction_id) - 1 as position from once
        ), labels as (
            select prediction_id, arg_max(label, time) as label from log where kind = 'feedback' group by prediction_id
        )
        select p.event_time as time, p.prediction_id, p.model_version as version, p.probabilities[2] as probability,
               cast(labels.label = {_label(contract)} as integer) as target, {features}
        from predictions p left join labels using (prediction_id)
        where {chosen} order by p.event_time, p.time, p.prediction_id
    """
    with open_log(use_case.name, contract) as log:
        ((torn,),) = log.sql("select count(*) from log where kind is null").fetchall()
        return log.sql(query).to_arrow_table(), torn


def _label(contract: Contract) -> str:
    """The positive class as DuckDB reads it from JSON, as a SQL string."""
    positive: Any = contract.classes[1]
    text = positive if isinstance(positive, str) else json.dumps(positive)
    return "'" + text.replace("'", "''") + "'"
