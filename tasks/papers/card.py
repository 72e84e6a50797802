"""The card that a bundle has, read back: what was measured before the version served. It is signed with the bundle."""

from __future__ import annotations

import re

from serving.scoring.bundle import Bundle
from tasks.papers.values import Section, Table

CELLS = re.compile(r"(?<!\\)\|")  # a bar in a cell has a backslash before it


def sections(bundle: Bundle) -> list[Section]:
    """The parts of `card.md`, without its head: that is told from the manifest.

    The manifest has the SHA-256 of the card, and `read_bundle` has compared it.
    """
    where = f"store/bundles/{bundle.digest}/card.md"
    _, *parts = (bundle.folder / "card.md").read_text("utf-8").split("\n## ")
    return [_section(part, where) for part in parts]


def _section(text: str, where: str) -> Section:
    """
    >>> found = _section("Gates\\n\\nAll `hold`.\\n\\n| metric | value |\\n|---|---|\\n| a\\\\|b | 1 |\\n", "card.md")
    >>> found.title, found.lines, found.tables[0].heads, found.tables[0].rows
    ('Gates', ['All hold.'], ['metric', 'value'], [['a|b', '1']])
    """
    title, *lines = text.splitlines()
    said: list[str] = []
    tables: list[list[list[str]]] = [[]]
    for line in [*lines, ""]:
        if line.startswith("|"):
            tables[-1].append([_plain(cell) for cell in CELLS.split(line)[1:-1]])
        else:
            tables += [[]] if tables[-1] else []
            said += [_plain(line)] if line.strip() else []
    return Section(
        title=title,
        lines=said,
        tables=[Table(heads=rows[0], rows=rows[2:], source=where) for rows in tables if len(rows) > 1],
    )


def _plain(text: str) -> str:
    return text.strip().replace("\\|", "|").replace("`", "").removeprefix("- ")
