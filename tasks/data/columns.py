"""Columns of plain Python values as Arrow has them: what a database or JSON gives has no type of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from configs.errors import InputError
from serving.contract.spelling import spelled
from tasks.data.csv_file import Declared


def arrow_table(where: str, columns: Mapping[str, Sequence[Any]], declared: Declared, first: int = 0) -> Any:
    """The columns as a table. Declared categories are texts, in the spelling that the server gives them.

    `first` is the number of the first row in errors.

    Raises:
        InputError: the values of a column have no type in common.
    """
    import pyarrow as pa

    return pa.table({name: _column(where, name, values, declared, first) for name, values in columns.items()})


def _column(where: str, name: str, values: Sequence[Any], declared: Declared, first: int) -> Any:
    import pyarrow as pa

    if name in declared.texts:
        values = [_text(value, declared.missing) for value in values]
    else:
        values = [float(value) if isinstance(value, Decimal) else value for value in values]
    if name in declared.numbers:
        values = [None if isinstance(value, str) and (not value or value in declared.missing) else value for value in values]
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        kinds: dict[str, int] = {}
        for row, value in enumerate(values, first):
            if value is not None:
                kinds.setdefault(type(value).__name__, row)
        (usual, _), *others = sorted(kinds.items(), key=lambda each: each[1])
        told = f"row {others[0][1]} is {others[0][0]}, others are {usual}" if others else f"a {usual} is too large"
        raise InputError(f"{where}: column {name!r}: {told}; cast it in the query, or declare it a category") from None


def _text(value: Any, missing: frozenset[str]) -> Any:
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bool | int | float) and value == value:
        return spelled(value)
    return None if isinstance(value, str) and (not value or value in missing) else value
