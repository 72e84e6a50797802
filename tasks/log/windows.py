"""Windows: which slices of the prediction log are closed, and the rows of one, joined with the labels that arrived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import duckdb

from configs.forms import parse_duration
from configs.schema import UseCase
from serving.contract.contract import Contract
from tasks.clock import current_time
from tasks.log.event_times import happened
from tasks.log.read import BUCKETS, LIVE, TEST_CALLER, open_log
from tasks.log.values import FEATURE, IDENTIFIER, KPI, Bounds, Refusal, pointer, query_of
from tasks.problems.problem import problem_of

# As many as a reference has: the bounds of longer windows are those of a third of it (monitoring/drift/null.py), and an AUC
# has a standard error of 0.003 with as many labels of which a fifth are positive.
SAMPLE = 50_000
RESENT = "1 day"
# A record without `place` is the first row of its request (also in logs that knew no place).
REQUESTS = "count(*) filter (coalesce(place, 0) = 0)"
STRAYS = "count(*) filter (happened != event_time)"
MOST_KPIS = 50


class WindowRows(NamedTuple):
    """What the log holds of a window.

    `table` is an Arrow table of its rows, or of a sample of them; `asked` is how many there were, in how many `requests`;
    `strays` of them said an event time that cannot be; `torn` counts torn lines of the whole log.
    """

    table: Any
    asked: int
    requests: int
    strays: int
    torn: int
    refused: list[Refusal]


def closed_windows(use_case: UseCase) -> list[Bounds]:
    """Every window of the log that can get no more requests, oldest first; also those in which none came."""
    window, count, first = use_case.monitoring.window, 0, None
    with _moments(use_case) as log:
        if window.endswith("rows"):
            ((count,),) = log.sql(f"select count(distinct prediction_id) from moments where {LIVE}").fetchall()
        else:
            ((first,),) = log.sql(f"select min(happened) from moments where {LIVE}").fetchall()
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


def read_window(use_case: UseCase, bounds: Bounds, most: int = SAMPLE) -> WindowRows:
    """A window's rows, or a random sample of about `most` where there are more.

    The columns are time, prediction_id, version, prediction, output (its k numbers), probability (of two classes the
    second's, the positive one; else null), label (null while none has come; of several the last counts), latency_us, a
    `kpi.NAME` for each number that feedback carried, and the features as JSON. A prediction that was logged again, because a
    client or the gateway sent it again within a day, counts once.
    """
    with _moments(use_case) as log:
        ((torn,),) = log.sql("select count(*) from moments where kind is null").fetchall()
        whole = log.sql(f"select count(*), {REQUESTS}, {STRAYS} from moments where {LIVE} and {_inside(bounds)}")
        ((asked, requests, strays),) = whole.fetchall()
        if bounds.start.isdigit():
            asked = int(bounds.end) - int(bounds.start)
        chosen = f"bucket < {int(most / asked * BUCKETS)}::uinteger" if asked > most else "true"
        # Tables, since one query would join before it samples.
        log.execute(f"create temp table members as {_members(bounds, chosen)}")
        log.execute(f"""
            create temp table labels as select prediction_id, arg_max(label, time) as label from log
            where kind = 'feedback' and {chosen} and prediction_id in (select prediction_id from members)
            group by prediction_id""")
        log.execute(f"""
            create temp table predictions as select * from moments where {LIVE} and {_inside(bounds)} and {chosen}
            and prediction_id in (select prediction_id from members)
            qualify row_number() over (partition by prediction_id order by time) = 1""")
        kpis = "".join(f', kpis."{name}"' for name in _gather_kpis(log, chosen))
        table = log.sql(f"""
            select p.happened as time, p.prediction_id, p.model_version as version, p.prediction, p.output,
                   case when len(p.output) = 2 then p.output[2] end as probability,
                   labels.label, p.latency_us{kpis}, p.features::varchar as features
            from predictions p left join labels using (prediction_id) left join kpis using (prediction_id)
            order by p.happened, p.time, p.prediction_id
        """).to_arrow_table()
        if bounds.start.isdigit():  # how many rows of the log are in no other window, only these say
            ((requests, strays),) = log.sql(f"select {REQUESTS}, {STRAYS} from predictions").fetchall()
            requests, strays = (round(n * asked / max(table.num_rows, 1)) for n in (requests, strays))
        refused = _refused(log, bounds, table)
    return WindowRows(table, asked if asked > most else table.num_rows, requests, strays, torn, refused)


def decoded(rows: Any, contract: Contract, beside: Sequence[str] = ()) -> Any:
    """The rows (an Arrow table of `read_window`) as a model with that contract takes them, as an Arrow table.

    In place of `label` stands `target` (of two classes 1 for the positive one, of several the number of the class; or the
    number; of a ranking relevance and query; or null), in place of `features` a `feature.NAME` for each of the contract's.
    So a feature may have any name. Of the identifiers only those `beside` come along, as `identifier.NAME`.
    """
    kept = [name for name in beside if name in contract.identifiers]
    paths = ", ".join(_text(pointer(name)) for name in (*contract.names, *kept))
    kinds = {"float32": "float", "string": "varchar"}
    fields = ", ".join(f"try_cast(found[{n + 1}] as {kinds[c.dtype]}) as f{n}" for n, c in enumerate(contract.columns))
    fields += "".join(f", found[{n + 1}] as f{n}" for n in range(len(contract.columns), len(contract.columns) + len(kept)))
    own = [name for name in rows.column_names if name not in ("label", "features")]
    query = f"""
        select * exclude (label, features, found, query), {problem_of(contract).sql(contract)} as target, {fields}
        from (select *, {query_of(contract)} as query, json_extract_string(features, [{paths}]) as found from rows)"""
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        table = connection.sql(query).to_arrow_table()
    names = [*(f"{FEATURE}{column.name}" for column in contract.columns), *(f"{IDENTIFIER}{name}" for name in kept)]
    return table.rename_columns([*own, "target", *names])


def labels_by_window(use_case: UseCase, windows: list[Bounds]) -> dict[str, int]:
    """How many predictions of each window have a label by now."""
    if not windows:
        return {}
    with _moments(use_case) as log:
        if windows[0].start.isdigit():
            place = "row_number() over (order by min(time), prediction_id) - 1"
            edges = [f"({_text(w.name)}, {w.start}, {w.end})" for w in windows]
        else:
            place = "min(happened)"
            edges = [f"({_text(w.name)}, {_moment(w.start)}, {_moment(w.end)})" for w in windows]
        found = log.sql(f"""
            with asked as (select prediction_id, {place} as place from moments where {LIVE} group by prediction_id),
            known as (select distinct prediction_id from log where kind = 'feedback' and label is not null)
            select name, count(*) from known join asked using (prediction_id)
            join (values {", ".join(edges)}) as windows (name, first, last) on place >= first and place < last
            group by name""")
        return dict(found.fetchall())


@contextmanager
def _moments(use_case: UseCase) -> Iterator[Any]:
    """The log, with a view `moments` that says of each record when it counts (`happened`)."""
    with open_log(use_case.name) as log:
        log.execute(f"create temp view moments as select *, {happened(use_case)} as happened from log")
        yield log


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
        inside = f"happened between timestamp '{min(times)}' and timestamp '{max(times)}'"
    else:
        inside = _inside(bounds)
    found = log.sql(f"""
        select status, feature, sum(requests)::bigint as requests from moments
        where kind = 'refused' and caller != '{TEST_CALLER}' and {inside}
        group by status, feature order by requests desc, status, feature""").fetchall()
    return [Refusal(status=status, feature=feature, requests=requests) for status, feature, requests in found]


def _inside(bounds: Bounds) -> str:
    """Which records may belong to the window."""
    if bounds.start.isdigit():
        return "true"
    return f"happened >= {_moment(bounds.start)} and happened < {_moment(bounds.end)}"


def _members(bounds: Bounds, chosen: str) -> str:
    """The ids of the window's predictions: by position of their arrival, or those that no earlier window has."""
    if bounds.start.isdigit():
        return f"""
            select prediction_id from (
                select prediction_id, bucket, row_number() over (order by min(time), prediction_id) - 1 as position
                from moments where {LIVE} group by prediction_id, bucket
            ) where position >= {bounds.start} and position < {bounds.end} and {chosen}"""
    before = f"happened >= {_moment(bounds.start)} - interval '{RESENT}' and happened < {_moment(bounds.start)}"
    return f"""
        select prediction_id from moments where {LIVE} and {_inside(bounds)} and {chosen}
        except select prediction_id from moments where {LIVE} and {before} and {chosen}"""


def _moment(text: str) -> str:
    return f"timestamp '{text[:19]}'"


def _text(text: str) -> str:
    """As a SQL string."""
    return "'" + text.replace("'", "''") + "'"
