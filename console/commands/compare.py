"""`slipway compare`: what a comparison found, in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.settings import report_address
from tasks.comparing.sheets import sheets
from tasks.comparing.values import SideBySide
from tasks.page import Sheet


def show(found: SideBySide, screen: Console) -> None:
    """Print every sheet, and where the page is."""
    for sheet in sheets(found):
        screen.print(Text(sheet.title, style="bold"))
        if sheet.note:
            screen.print(Text(sheet.note))
        if sheet.rows:
            screen.print(_table(sheet))
        screen.print()
    screen.print(f"Page with plots: {found.page}", markup=False, highlight=False, soft_wrap=True)
    screen.print(f"              or {report_address(Path(found.page))}", markup=False, highlight=False, soft_wrap=True)


def _table(sheet: Sheet) -> Table:
    table = Table()
    for head in sheet.heads:
        table.add_column(Text(head), overflow="fold")
    for row in sheet.rows:
        table.add_row(*map(Text, row))
    return table
