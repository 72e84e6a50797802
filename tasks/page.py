"""A page: one HTML file with its tables and plots, that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1150px; margin: 2rem auto; padding: 0 1rem; color: #1c2430 }
h2 { margin: 2.2rem 0 .4rem; font-size: 1.15rem } p { margin: .3rem 0 .7rem; max-width: 60rem }
div { overflow-x: auto } table { border-collapse: collapse; font-size: 13px }
th, td { border: 1px solid #d5dae1; padding: .25rem .6rem; text-align: left; vertical-align: top; white-space: pre-wrap }
th { background: #f2f4f7; position: sticky; left: 0 } td { overflow-wrap: anywhere } svg { max-width: 100%; height: auto }
"""
# Whatever a value may hold, the browser runs no script and asks no other machine.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Sheet(NamedTuple):
    """A table: its cells are text. `note` stands under the title; without rows it is all there is."""

    title: str
    note: str
    heads: list[str]
    rows: list[list[str]]


def page(title: str, description: str, sheets: Sequence[Sheet], plots: Sequence[tuple[str, str]]) -> str:
    """HTML; everything but the SVGs, which are ours, is escaped."""
    parts = [*map(_table, sheets), *(f"<h2>{escape(name)}</h2>\n<div>{svg}</div>" for name, svg in plots)]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>{escape(description)}</p>
{"".join(parts)}
</body></html>
"""


def _table(sheet: Sheet) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in sheet.heads)
    rows = "\n".join(_row(row) for row in sheet.rows)
    table = f"<div><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>" if sheet.rows else ""
    return f"<h2>{escape(sheet.title)}</h2>\n<p>{escape(sheet.note)}</p>\n{table}\n"


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    return f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in others)}</tr>"
