"""A workbook (`.xlsx`) as a table: its one sheet, whose first row names the columns."""

from __future__ import annotations

import io
from typing import Any

from configs.errors import InputError
from tasks.data.columns import arrow_table
from tasks.data.csv_file import Declared, distinct

FIRST_ROW = 2  # of the values, as the sheet counts


def read_workbook(where: str, content: bytes, declared: Declared) -> Any:
    """The sheet as an Arrow table, with the values that its program last calculated.

    Raises:
        InputError: several sheets hold something, a cell holds an error, or a column values without a common type.
    """
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    sheets = {sheet.title: _rows(where, sheet) for sheet in book.worksheets}
    filled = [title for title, rows in sheets.items() if rows]
    if len(filled) != 1:
        told = f"sheets {', '.join(map(repr, filled))} hold something" if filled else "is empty"
        raise InputError(f"{where}: {told}; save the one sheet that is meant as a workbook of its own")
    header, *rows = sheets[filled[0]]
    width = max(place for row in (header, *rows) for place, value in enumerate(row, 1) if value is not None)
    names = distinct(where, ["" if name is None else str(name) for name in [*header, *[None] * width][:width]])
    columns = {name: [row[place] if place < len(row) else None for row in rows] for place, name in enumerate(names)}
    return arrow_table(where, columns, declared, FIRST_ROW)


def _rows(where: str, sheet: Any) -> list[list[Any]]:
    """The values of the rows that hold any."""
    found = []
    for cells in sheet.iter_rows():
        for cell in cells:
            if cell.data_type == "e":
                raise InputError(f"{where}: cell {cell.coordinate} of sheet {sheet.title!r} is {cell.value}")
        if any(cell.value is not None for cell in cells):
            found.append([cell.value for cell in cells])
    return found
