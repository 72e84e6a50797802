"""The page of a rollout: where it stands, what each check said over time, and what people said, as one HTML file.

As that of a comparison (`tasks/page.py`) it has no script and loads nothing, so it can be sent or archived.
"""

from __future__ import annotations

from pathlib import Path

from configs.files import write_atomically
from configs.rollout import Rollout
from configs.settings import read_services, report_address, reports
from tasks.page import Sheet, page
from tasks.rollouts.course import courses, plots, spent
from tasks.rollouts.how_long import how_long, moment
from tasks.rollouts.looks import looks_of
from tasks.rollouts.values import Look, State
from tasks.rollouts.words import words_of

TOLD = (
    "Above zero is worse. The band is an interval that holds at all looks together: a check says worse when all of it lies "
    "above the margin, better when it lies below zero, equivalent when it lies below the margin. Each stage begins anew."
)


def page_path(state: State) -> Path:
    """Where the page of a rollout lies, whether or not it was written yet."""
    return reports(state.use_case, "rollouts") / f"{state.id}.html"


def page_address(state: State) -> str:
    """Where a browser finds it: at the `reports` service, or as a file where that was never started."""
    path = page_path(state)
    return report_address(path) if "reports" in read_services() else path.as_uri()


def write_page(declared: Rollout, state: State, standing: str) -> Path:
    """Write it over the one of the look before; `standing` is where the rollout stands, in a line."""
    looks, path = looks_of(state), page_path(state)
    shown = [_standing(declared, state, standing), _checks(declared, looks), _stages(declared, looks), _words(state)]
    title = f"{state.use_case}: rollout of {state.who} beside version {state.champion.version}"
    write_atomically(path, page(title, TOLD, shown, plots(declared, looks)).encode())
    return path


def _standing(declared: Rollout, state: State, standing: str) -> Sheet:
    rows = [
        ["begun", f"{moment(state.began)}: {state.reason}"],
        ["this stage since", moment(state.stage_began) if state.stage_began else "not yet"],
        ["how long", how_long(declared, state)],
    ]
    return Sheet("Where it stands", standing, ["", ""], [row for row in rows if row[1]])


def _checks(declared: Rollout, looks: list[Look]) -> Sheet:
    last = looks[-1] if looks else None
    said = last.verdicts if last else []
    rows = [[each.title, each.verdict, each.reason] for each in said]
    silent = [check.name for check in declared.checks if check.name not in {each.check for each in said}]
    rows += [[name, "", "not looked at yet" if last is None else "cannot be in this stage"] for name in silent]
    note = f"{moment(last.at)}, {last.requests:,} requests were the challenger's. {last.mismatch}" if last else ""
    return Sheet("What each check said at the last look", note, ["check", "verdict", "why"], rows)


def _stages(declared: Rollout, looks: list[Look]) -> Sheet:
    rows, total = [], 0.0
    for course in courses(declared, looks):
        total += spent(course)
        name = "no traffic" if course.place is None else f"{course.place + 1} ({declared.stages[course.place].strategy})"
        first, last = course.looks[0], course.looks[-1]
        span = [moment(first.at), moment(last.at)]
        rows.append([name, *span, f"{len(course.looks):,}", f"{last.requests:,}", f"{total / declared.false_rollbacks:.0%}"])
    note = (
        f"At most {100 * declared.false_rollbacks:.3g} % of challengers as good as the champion are taken back at any look "
        "of the whole rollout. Checks and stages share that; a check uses its part once, however often it is looked at."
    )
    heads = ["stage", "first look", "last look", "looks", "requests", "budget used so far"]
    return Sheet("Stages so far", note, heads, rows)


def _words(state: State) -> Sheet:
    rows = [[moment(word.at), word.by, word.said, word.reason] for word in words_of(state)]
    return Sheet("What people said", "" if rows else "Nothing.", ["when", "who", "what", "why"] if rows else [], rows)
