"""`slipway papers`: model card, data sheet and technical file of a version, as HTML and PDF."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from configs.errors import InputError
from configs.files import write_atomically
from configs.load import load_use_case, use_case_file
from configs.papers import Papers
from configs.settings import reports
from tasks.papers.paper import papers_of, pdf
from tasks.papers.record import record_of


def write(use_case: str, version: str | None, to: Path | None, screen: Console) -> None:
    """Write them into the folder, by default one below `reports/`; a file that says something else is not overwritten.

    Raises:
        InputError: there is no such version, a template is wrong, or another text stands there.
        CheckFailed: its bundle is gone or was changed.
    """
    case = load_use_case(use_case) if use_case_file(use_case).is_file() else None  # a retired one may have none
    record = record_of(use_case, version, case.privacy if case else None)
    folder = to or reports(use_case, "papers") / f"v{record.version}-{record.until[:19].replace(':', '')}"
    written, remarks = dict[Path, bytes](), list[str]()
    found = papers_of(record, case.papers if case else Papers())
    for paper in found:
        written[folder / f"{paper.name}.html"] = paper.html.encode()
        try:
            written[folder / f"{paper.name}.pdf"] = pdf(paper, record)
        except InputError as error:
            remarks.append(f"No {paper.name}.pdf: {error}")
    if edited := [path for path, content in written.items() if path.exists() and path.read_bytes() != content]:
        raise InputError(
            f"{edited[0]}: is there already and says something else; name another folder with --to, or remove it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in written.items():
        write_atomically(path, content)
    for line in [f"Papers of {use_case} version {record.version}, the record until {record.until}, in {folder}", *remarks]:
        screen.print(line, markup=False, highlight=False, soft_wrap=True)
    for paper in found:
        what = f"{paper.name}: {len(paper.to_write)} things are still to be written by a person"
        screen.print(
            f"{what}; 'papers' in the use case holds them" if paper.to_write else what, highlight=False, soft_wrap=True
        )
