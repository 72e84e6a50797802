"""Subject: everything that a use case holds on one person, for who asks (GDPR, article 15), and who asked before.

Each such read is recorded, with who and why, and a keyed hash in the place of the value. Needs no service.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from configs.errors import InputError, nearest
from configs.load import load_use_case, use_case_names
from configs.schema import UseCase
from configs.settings import home
from tasks.audit.in_store import Tell, in_store
from tasks.audit.reviewed import reviews_of
from tasks.audit.unsearched import unsearched
from tasks.audit.values import Subject
from tasks.history import read_history, record
from tasks.log.conditions import Condition, fields_of, is_keyed, keyed, matching, meets, parse_condition
from tasks.log.hold import standing
from tasks.log.read import COLUMNS, open_log
from tasks.log.rewrite import belongs

READ = "subject-read"


def subject(use_case: UseCase, conditions: Sequence[Condition], tell: Tell) -> Subject:
    """What is held of whoever meets the conditions; `tell` hears what is searched.

    Raises:
        CheckFailed: the log is encrypted and the key does not open it.
    """
    name = use_case.name
    tell(f"the log of {name}", 0, 1)
    ids = matching(name, conditions)
    records = _records(name, conditions, ids)
    asked = records.get("prediction", [])
    exposed = Counter((each["plan"], each.get("assigned", ""), each["variant"]) for each in asked if each.get("plan"))
    stored = in_store(use_case, conditions, ids, tell)
    return Subject(
        use_case=name,
        predictions=len(asked),
        first=asked[0]["time"] if asked else "",
        last=asked[-1]["time"] if asked else "",
        versions=dict(sorted(Counter(str(each["model_version"]) for each in asked).items())),
        exposures=[
            {"plan": plan, "assigned": assigned, "answered": variant, "rows": rows}
            for (plan, assigned, variant), rows in sorted(exposed.items())
        ],
        records=records,
        reviews=reviews_of(name, ids),
        places=stored.places,
        trained=stored.trained,
        holds=[
            each.told
            for each in standing(name)
            if set(each.where) == set(conditions) or set(ids) & set(matching(name, each.where))
        ],
        erasures=_entries(name, "log-erasure", conditions),
        reads=_entries(name, READ, conditions),
        cannot=[*stored.cannot, *unsearched(use_case)],
    )


def keep_read(found: Subject, conditions: Sequence[Condition], reason: str, by: str) -> None:
    """Record that somebody was shown what is held."""
    where = keyed(found.use_case, conditions)
    record(found.use_case, READ, reason, by=by, where=where, predictions=found.predictions)


def use_cases_with(where: Sequence[str]) -> tuple[list[tuple[UseCase, list[Condition]]], list[str]]:
    """The use cases of this home whose log may have such a person, each with the conditions; and which cannot be searched.

    Raises:
        InputError: none has; or a condition is none.
    """
    found, cannot, known = [], list[str](), list[str]()
    written = use_case_names()
    for name in sorted(path.name for path in (home() / "use_cases").glob("*") if path.is_dir()):
        if name not in written:
            cannot.append(f"use case {name}: its file is gone, so nobody knows what its fields mean")
            continue
        try:
            case = load_use_case(name)
        except InputError as error:
            cannot.append(f"use case {name}: {error}")
            continue
        fields = fields_of(case)
        known += fields
        if all(any(text.startswith(f"{field}=") for field in fields) for text in where):
            found.append((case, [parse_condition(text, case) for text in where]))
    if not found:
        field = where[0].partition("=")[0]
        raise InputError(f"no use case of {home()} has a field {field!r}; {nearest(field, sorted(set(known)))}")
    return found, cannot


def _records(use_case: str, conditions: Sequence[Condition], ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """What the log has of them, oldest first, by kind."""
    clause, values = meets(use_case, conditions)
    found: dict[str, list[dict[str, Any]]] = {}
    with open_log(use_case) as log:
        log.execute("create temp table ids as select unnest(?::varchar[]) as id", [list(ids)])
        names = [name for name in COLUMNS if name != "kind"]
        said = ", ".join(f"'{name}': \"{name}\"" for name in names)
        near = "select * from log where prediction_id in (select id from ids)"  # so that few features are read again
        query = f"""
            with near as materialized ({near})
            select kind, to_json({{{said}}})::varchar from near where {belongs(clause)} order by time"""
        for kind, text in log.execute(query, values).fetchall():
            found.setdefault(kind, []).append({key: each for key, each in json.loads(text).items() if each is not None})
    return found


def _entries(use_case: str, what: str, conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """The entries of the history about just these conditions."""
    entries = [each for each in read_history(use_case, what) if is_keyed(use_case, conditions, each.get("where"))]
    return [{name: value for name, value in each.items() if name not in ("where", "what", "flow_run")} for each in entries]
