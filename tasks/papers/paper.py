"""Paper: one of the three, filled from the record and from what people said; what neither has is marked, and counted.

Model card: Mitchell et al., "Model Cards for Model Reporting" (2019). Data sheet: Gebru et al., "Datasheets for Datasets"
(2021). Technical file: annex IV of Regulation (EU) 2024/1689, its points in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup, escape
from pydantic import BaseModel

from configs.errors import InputError, nearest
from configs.papers import Papers
from tasks.audit.marked import Marks, filled
from tasks.audit.pdf import pdf_of
from tasks.papers.record import law
from tasks.papers.values import Record, Table

KEY = "papers.templates"
HERE = Path(__file__).parent
PAPERS = {"model-card": "Model card", "data-sheet": "Data sheet", "technical-file": "Technical file"}


class Paper(NamedTuple):
    """One of them: its file's name without an ending, its title, HTML, and what in it a person must still write."""

    name: str
    title: str
    html: str
    to_write: list[str]


def papers_of(record: Record, said: Papers) -> list[Paper]:
    """All three; equal for an equal record and equal words.

    Raises:
        InputError: a template of one's own cannot be read, or something in it is wrong.
    """
    return [_paper(name, record, said) for name in PAPERS]


def template_of(name: str, said: Papers) -> Path:
    """The template of a paper: one's own where the folder has it, else ours.

    Raises:
        InputError: the folder has none of the three.
    """
    if not said.templates:
        return HERE / f"{name}.html"
    folder = Path(said.templates)
    if not any((folder / f"{each}.html").is_file() for each in PAPERS):
        raise InputError(f"{KEY}: {folder}: has none of {', '.join(f'{each}.html' for each in PAPERS)}")
    own = folder / f"{name}.html"
    return own if own.is_file() else HERE / own.name


def _paper(name: str, record: Record, said: Papers) -> Paper:
    write, title = Marks(), f"{PAPERS[name]}: {record.use_case}, version {record.version}"
    html = filled(
        KEY,
        template_of(name, said),
        record=record,
        title=title,
        law=law(),
        style=Markup((HERE / "papers.css").read_text("utf-8")),
        person=_person(said, write),
        data=_person(said.data, write),
        table=table,
        write=write,
        left=write.left,
    )
    return Paper(name, title, html, write.left)


def pdf(paper: Paper, record: Record) -> bytes:
    """The same as PDF, dated by the last thing in the record.

    Raises:
        InputError: it has a character that the font has not.
    """
    made = datetime.fromisoformat(record.until) if record.until else datetime(1970, 1, 1, tzinfo=UTC)
    return pdf_of(paper.html, paper.title, made)


def _person(said: BaseModel, write: Marks) -> Callable[[str], Markup]:
    """What people said under a key, or a mark with what the key asks for."""

    def person(key: str) -> Markup:
        if key not in (asked := type(said).model_fields):
            raise InputError(f"{KEY}: {key!r} is nothing that people are asked for; {nearest(key, asked)}")
        text: str | None = getattr(said, key)
        return _lines(text) if text else write(str(asked[key].description))

    return person


def _lines(text: str) -> Markup:
    return Markup("<br>").join(text.strip().splitlines())


def table(shown: Table) -> Markup:
    """A table as HTML with its source; where it has no rows, a sentence that says why."""
    if not isinstance(shown, Table):
        raise InputError(f"{KEY}: table(...) takes a table of the record, found {shown!r}")
    if not shown.rows:
        return Markup("<p><i>Not in the record: {}.</i></p>").format(shown.nothing or "nothing is there")
    head = _row("th", shown.heads)
    body = Markup("\n").join(_row("td", row) for row in shown.rows)
    source = Markup("\n<p><i>Source: {}</i></p>").format(shown.source) if shown.source else Markup()
    return Markup("<table>\n<thead>{}</thead>\n<tbody>\n{}\n</tbody>\n</table>{}").format(head, body, source)


def _row(tag: str, cells: list[str]) -> Markup:
    return Markup("<tr>{}</tr>").format(Markup().join(Markup(f"<{tag}>{escape(cell)}</{tag}>") for cell in cells))
