"""Identifiers: fields beside the columns that say whom a record is about. They are logged with it, and never scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.contract.faults import ContractError, shown


def identifier(value: Any, name: str, row: int) -> str | int | None:
    """One identifier as the log has it: text, a whole number, or nothing. A float does not say which number is meant.

    Raises:
        ContractError: it is anything else.

    >>> [identifier(each, "customer", 0) for each in ("00123", 42, np.int64(7), None)]
    ['00123', 42, 7, None]
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    raise ContractError(f"must be text or a whole number, found {shown(value)}", name, row)


def identifiers(values: Sequence[Any], name: str) -> list[str | int | None]:
    """A column of them, from a tensor or a table."""
    return [identifier(value, name, row) for row, value in enumerate(values)]
