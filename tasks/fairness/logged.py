"""Where the prediction log has the values of protected columns, which the model need not see."""

from __future__ import annotations

from typing import Any

from configs.schema import UseCase
from tasks.data.protected import MOST_GROUPS
from tasks.log.values import FEATURE, IDENTIFIER, KPI


def logged(use_case: UseCase, rows: Any, name: str) -> Any:
    """A protected column of logged rows as a pandas series; or why there is none, a text.

    It is that of a feature, an identifier or a number of feedback, the first that is there.
    """
    if name in use_case.features.all and name not in use_case.watched:
        return "the log does not keep its values, since it is sensitive; write 'log: {sensitive: keep}'"
    there = [f"{kind}{name}" for kind in (FEATURE, IDENTIFIER, KPI) if f"{kind}{name}" in rows]
    if not there:
        return "the log has no values of it; list it under 'features.identifiers', or send it with feedback as a number"
    values = rows[there[0]]
    if (count := values.nunique()) > MOST_GROUPS:
        return f"it has {count:,} values in these rows, and groups are at most {MOST_GROUPS}"
    return values
