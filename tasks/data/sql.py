"""Names and texts as DuckDB reads them, whatever characters they have."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A column or table by its name.

    >>> quoted('a "b" c')
    '"a ""b"" c"'
    """
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text.

    >>> text_literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
