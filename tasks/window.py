"""Windows: which slices of the prediction log are closed, and the rows of one, joined with the labels that arrived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from configs.schema import UseCase, parse_duration
from serving.contract import Contract
from tasks.clock import current_time
from tasks.prediction_log import BUCKETS, LIVE, TEST_CALLER, open_log
from tasks.values import Bounds, Refusal

# As many as a reference has: the bounds of longer windows are those of a third of it (tasks/monitoring/null.py), and an AUC
# has a standard error of 0.003 with as many labels of which a fifth are positive.
SAMPLE = 50_000
RESENT = "1 day"
KPI = "kpi."
MOST_KPIS = 50


class WindowRows(NamedTuple):
    """An Arrow table of a window's rows, how many requests it had, how many torn lines the log has, and what was refused."""

    table: Any
    asked: int
    torn: int
    refused: list[Refusal]


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


def read_window(use_case: UseCase, bounds: Bounds, contract: Contract, most: int = SAMPLE) -> WindowRows:
    """A window's rows, or a random sample of about `most` where there are more.

    The columns are time, prediction_id, version, probability (of the positive class), target (1, 0, or null while no
    label has come; of several the last counts), latency_us, a `kpi.NAME` for each number that feedback carried, and the
    features. A prediction that was logged again, because a client
    or the gateway sent it again within a day, counts once.
    """
    features = ", ".join(f'p.features."{name}" as "{name}"' for name in contract.names)
    with open_log(use_case.name, contract) as log:
        ((torn,),) = log.sql("select count(*) from log where kind is null").fetchall()
        if bounds.start.isdigit():
            asked = int(bounds.end) - int(bounds.start)
        else:
            ((asked,),) = log.sql(f"select count(*) from log where {LIVE} and {_inside(bounds)}").fetchall()
        chosen = f"bucket < {int(most / asked * BUCKETS)}::uinteger" if asked > most else "true"
        # Tables, since one query would join before it samples.
        log.execute(f"create temp table members as {_members(bounds, chosen)}")
        log.execute(f"""
            create temp table labels as select prediction_id, arg_max(label, time) as label from log
            where kind = 'feedback' and {chosen} and prediction_id in (select prediction_id from members)
            group by prediction_id""")
        names = _gather_kpis(log, chosen)
        kpis = "".join(f', kpis."{name}"' for name in names)
        table = log.sql(f"""
            with predictions as (
                select * from log where {LIVE} and {_inside(bounds)} and {chosen}
                and prediction_id in (select prediction_id from members)
                qualify row_number() over (partition by prediction_id order by time) = 1
            )
            select p.event_time as time, p.prediction_id, p.model_version as version, p.probabilities[2] as probability,
                   cast(labels.label = {_label(contract)} as integer) as target, p.latency_us{kpis}, {features}
            from predictions p left join labels using (prediction_id) left join kpis using (prediction_id)
            order by p.event_time, p.time, p.prediction_id
        """).to_arrow_table()
        refused = _refused(log, bounds, table)
    return WindowRows(table, asked if asked > most else table.num_rows, torn, refused)


def _gather_kpis(log: Any, chosen: str) -> list[str]:
    """A table `kpis` of the members' numbers, the last of each: its columns `kpi.NAME`, of the most frequent names."""
    log.execute(f"""
        create temp table numbers as select prediction_id, name, arg_max(kpis ->> name, time)::double as value
        from (select prediction_id, time, kpis, unnest(json_keys(kpis)) as name from log
              where kind = 'feedback' and kpis is not null and {chosen}
              and prediction_id in (select prediction_id from members))
        group by prediction_id, name""")
    most = f"select name from numbers group by name order by count(*) desc, name limit {MOST_KPIS}"
    names = sorted(name for (name,) in log.sql(most).fetchall())
    columns = "".join(f", max(value) filter (name = '{name}') as \"{KPI}{name}\"" for name in names)
    log.execute(f"create temp table kpis as select prediction_id{columns} from numbers group by prediction_id")
    return [f"{KPI}{name}" for name in names]


def _refused(log: Any, bounds: Bounds, table: Any) -> list[Refusal]:
    """What was refused within the window; where that is counted in rows, between its first and last one."""
    if bounds.start.isdigit():
        times = table["time"].to_pylist()
        if not times:
            return []
        inside = f"event_time between timestamp '{min(times)}' and timestamp '{max(times)}'"
    else:
        inside = _inside(bounds)
    found = log.sql(f"""
        select status, feature, sum(requests)::bigint as requests from log
        where kind = 'refused' and caller != '{TEST_CALLER}' and {inside}
        group by status, feature order by requests desc, status, feature""").fetchall()
    return [Refusal(status=status, feature=feature, requests=requests) for status, feature, requests in found]


def _inside(bounds: Bounds) -> str:
    """Which records may belong to the window."""
    if bounds.start.isdigit():
        return "true"
    return f"event_time >= {_moment(bounds.start)} and event_time < {_moment(bounds.end)}"


def _members(bounds: Bounds, chosen: str) -> str:
    """The ids of the window's predictions: by position of their arrival, or those that no earlier window has."""
    if bounds.start.isdigit():
        return f"""
            select prediction_id from (
                select prediction_id, bucket, row_number() over (order by min(time), prediction_id) - 1 as position
                from log where {LIVE} group by prediction_id, bucket
            ) where position >= {bounds.start} and position < {bounds.end} and {chosen}"""
    before = f"event_time >= {_moment(bounds.start)} - interval '{RESENT}' and event_time < {_moment(bounds.start)}"
    return f"""
        select prediction_id from log where {LIVE} and {_inside(bounds)} and {chosen}
        except select prediction_id from log where {LIVE} and {before} and {chosen}"""


def _moment(text: str) -> str:
    return f"timestamp '{text[:19]}'"


def _label(contract: Contract) -> str:
    """The positive class as DuckDB reads it from JSON, as a SQL string."""
    positive: Any = contract.classes[1]
    text = positive if isinstance(positive, str) else json.dumps(positive)
    return "'" + text.replace("'", "''") + "'"
