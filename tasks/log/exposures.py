"""Exposures: which requests met which variant under one traffic plan, what was answered, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from configs.schema import UseCase
from serving.contract.contract import Contract
from tasks.log.event_times import happened
from tasks.log.queries import query_numbers
from tasks.log.read import LIVE, open_log
from tasks.log.values import FEATURE, KPI, pointer, query_of
from tasks.problems.problem import problem_of

COUNT = "count."  # how columns begin that say how many numbers of a KPI there are
TOLD = "told."  # and that say when the first of them came
NONE: Mapping[str, str] = MappingProxyType({})
PAST = timedelta(weeks=4)
COPY = "shadow"  # the kind of record that a shadow's answer is


def read_exposures(
    use_case: str,
    plan: str,
    contract: Contract,
    kpis: Mapping[str, str] = NONE,
    key: str | None = None,
    columns: Sequence[str] = (),
) -> Any:
    """A pandas frame, a row for each row of a request that was answered under the plan, in the order of their arrival.

    Its columns: prediction_id, time, assigned (the variant that it was to meet), variant (the one that answered), fallback
    (why another one did; empty where none did), latency_us, prediction, output, target (as the model learns it; null while
    no label has come), told (when the first label came), key (the text of what the plan goes by; of none the prediction's
    id), a `kpi.NAME` for each of the `kpis` (its query, or "" for the number that feedback carries, which has a
    `told.kpi.NAME` beside it: when the first came), a `feature.NAME` with the text of each of the `columns`. Of a prediction
    that was sent twice the first counts: a person meets a variant once.
    """
    with open_log(use_case) as log:
        _exposed(log, "plan = ?", [plan], contract, key, columns)
        return _with_outcomes(log, contract, kpis)


def read_recent(
    use_case: UseCase,
    since: datetime,
    until: datetime,
    contract: Contract,
    kpis: Mapping[str, str] = NONE,
    key: str | None = None,
    columns: Sequence[str] = (),
) -> tuple[Any, datetime | None]:
    """The same of all requests of a time by the use case's clock, whatever the plan; and when the log's first one was."""
    when = happened(use_case)
    with open_log(use_case.name) as log:
        _exposed(log, f"{when} >= ? and {when} <= ?", [_naive(since), _naive(until)], contract, key, columns)
        ((first,),) = log.execute(f"select min({when}) from log where {LIVE}").fetchall()
        return _with_outcomes(log, contract, kpis), first.replace(tzinfo=UTC) if first else None


def read_before(
    use_case: UseCase,
    plan: str,
    length: timedelta,
    contract: Contract,
    kpis: Mapping[str, str],
    key: str | None,
    columns: Sequence[str],
) -> Any:
    """The same of all requests of so long before the first under the plan."""
    when = happened(use_case)
    with open_log(use_case.name) as log:
        ((first,),) = log.execute(f"select min({when}) from log where {LIVE} and plan = ?", [plan]).fetchall()
        since = None if first is None else first - length
        _exposed(log, f"{when} >= ? and {when} < ?", [since, first], contract, key, columns)
        return _with_outcomes(log, contract, kpis)


def read_past(use_case: UseCase, until: datetime, contract: Contract, kpis: Sequence[str], key: str) -> Any:
    """What was known of persons by a moment, of the four weeks before it, whatever the plan: a pandas frame by key.

    Its columns: `kpi.NAME`, the sum of the person's numbers of that name, and `count.NAME`, how many they are.
    """
    when, end = happened(use_case), _naive(until)
    columns = (f'coalesce(sum("{KPI}{name}"), 0) as "{KPI}{name}", count("{KPI}{name}") as "{COUNT}{name}"' for name in kpis)
    with open_log(use_case.name) as log:
        _exposed(log, f"{when} >= ? and {when} < ?", [end - PAST, end], contract, key)
        _outcomes(log, kpis, f"{when} < timestamp '{end.isoformat(sep=' ')}'")
        found = log.sql(f"select key, {', '.join(columns)} from exposed join outcomes using (prediction_id) group by key")
        return found.df().set_index("key")


def read_copies(
    use_case: str,
    plan: str,
    contract: Contract,
    kpis: Sequence[str] = (),
    key: str | None = None,
    columns: Sequence[str] = (),
) -> Any:
    """A pandas frame, a row for each row that the champion and a shadow both answered under the plan.

    As `read_exposures`, with `shadow_prediction`, `shadow_output` and `shadow_latency_us` beside the champion's.
    """
    with open_log(use_case) as log:
        _exposed(log, "plan = ?", [plan], contract, key, columns)
        _outcomes(log, kpis)
        log.execute(
            """create temp table copied as
            select prediction_id, prediction as shadow_prediction, output as shadow_output, latency_us as shadow_latency_us
            from log where kind = ? and plan = ?
            qualify row_number() over (partition by prediction_id order by time) = 1""",
            [COPY, plan],
        )
        return log.sql(f"""
            select * exclude (label, query), {problem_of(contract).sql(contract)} as target
            from exposed join copied using (prediction_id) left join outcomes using (prediction_id)
            order by time, prediction_id""").df()


def _with_outcomes(log: Any, contract: Contract, kpis: Mapping[str, str]) -> Any:
    _outcomes(log, [name for name, sql in kpis.items() if not sql])
    tables = [query_numbers(log, name, sql) for name, sql in kpis.items() if sql]
    joined = "".join(f" left join {each} using (prediction_id)" for each in ("outcomes", *tables))
    return log.sql(f"""
        select * exclude (label, query), {problem_of(contract).sql(contract)} as target
        from exposed{joined} order by time, prediction_id""").df()


def _exposed(
    log: Any, which: str, values: list[Any], contract: Contract, key: str | None, columns: Sequence[str] = ()
) -> None:
    person = "prediction_id" if key is None else f"coalesce({_feature(key)}, prediction_id)"
    texts = "".join(f', {_feature(name)} as "{FEATURE}{_quoted(name)}"' for name in columns)
    log.execute(
        f"""create temp table exposed as
        select prediction_id, time, coalesce(nullif(assigned, ''), variant) as assigned, variant,
               coalesce(fallback, '') as fallback, latency_us, prediction, output, {person} as key{texts},
               {query_of(contract)} as query
        from log where {LIVE} and {which}
        qualify row_number() over (partition by prediction_id order by time) = 1""",
        values,
    )


def _outcomes(log: Any, kpis: Sequence[str], known: str = "true") -> None:
    """What feedback says of each of them: of several labels, and of several numbers of one name, the last that is known."""
    numbers = "".join(
        f", arg_max(try_cast(kpis ->> {_text(pointer(name))} as double), time)"
        f' filter (kpis ->> {_text(pointer(name))} is not null) as "{KPI}{name}"'
        f', min(time) filter (kpis ->> {_text(pointer(name))} is not null) as "{TOLD}{KPI}{name}"'
        for name in kpis
    )
    again = "".join(f', "{KPI}{name}", "{TOLD}{KPI}{name}"' for name in kpis)
    log.execute(f"""
        create temp table outcomes as select prediction_id, label, told{again}
        from (select prediction_id, arg_max(label, time) filter (label is not null) as label,
                     min(time) filter (label is not null) as told{numbers} from log
              where kind = 'feedback' and {known} and prediction_id in (select prediction_id from exposed)
              group by prediction_id)""")


def _feature(name: str) -> str:
    return f"json_extract_string(features, {_text(pointer(name))})"


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
