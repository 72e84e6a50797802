"""The pages of the review queue: what waits in each use case, one answer with all that speaks for it, and the decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from configs.errors import InputError
from configs.forms import in_words
from configs.load import load_use_case, use_case_names
from configs.schema import UseCase
from console.web.app import Visit, shown_to_people, templates
from tasks.people import may
from tasks.review.decide import confirm, override
from tasks.review.queue import READERS
from tasks.review.settle import settle
from tasks.review.show import show
from tasks.review.values import Item

PAGE = 50
LEAST = timedelta(minutes=1)


def left(item: Item) -> str:
    """How much time is left to decide.

    >>> from datetime import UTC, datetime
    >>> at = datetime.now(UTC)
    >>> left(Item(prediction_id="p", asked=at, due=at - LEAST, version="1", model_answer=1, why=("sample",)))
    'none'
    """
    rest = item.due - datetime.now(UTC)
    return in_words(max(rest, LEAST)) if rest > timedelta(0) else "none"


templates.env.filters["left"] = left


@shown_to_people
def home(visit: Visit) -> Response:
    """Every use case whose answers people look at, and how many wait."""
    may(READERS, "see what waits", visit.session.signed_in)
    queues, wrong = list[tuple[str, int, Item | None]](), dict[str, str]()
    for name in use_case_names():
        try:
            case = load_use_case(name)
            if case.review is not None:
                waiting = settle(case)
                queues.append((name, len(waiting), waiting[0] if waiting else None))
        except InputError as error:  # one that cannot be read hides no other
            wrong[name] = str(error)
    return visit.page("home.html", queues=queues, wrong=wrong)


@shown_to_people
def queue(visit: Visit) -> Response:
    """The answers of one use case that wait, the most urgent first, a page at a time."""
    case = _reviewed(visit)
    may(READERS, f"see what waits in {case.name}", visit.session.signed_in)
    waiting = settle(case)
    first = PAGE * _page_number(visit.request.query_params.get("page", "1"))
    mine = [item for item in waiting if visit.person.name not in item.said]
    return visit.page(
        "queue.html",
        case=case,
        items=mine[first : first + PAGE],
        waiting=len(mine),
        elsewhere=len(waiting) - len(mine),
        page=first // PAGE + 1,
        pages=max(1, -(-len(mine) // PAGE)),
    )


@shown_to_people
def one(visit: Visit) -> Response:
    """One answer: the record, what the model said and why, cases like it, and the form to decide with."""
    case = _reviewed(visit)
    may(READERS, f"see records of {case.name}", visit.session.signed_in)
    shown = show(case, visit.path("prediction_id"))
    widest = max((abs(each) for each in (shown.reasons or {}).get("contributions", {}).values()), default=0.0)
    decided = visit.person.name in (shown.waits.said if shown.waits else ())
    return visit.page("one.html", case=case, shown=shown, widest=widest, decided=decided)


@shown_to_people
def decide(visit: Visit) -> Response:
    """What somebody decided is kept; then comes the queue again."""
    case, name, form = _reviewed(visit), visit.path("prediction_id"), visit.form
    answer, text = form.get("answer", ""), form.get("text", "").strip()
    if not answer:
        raise InputError("no answer was chosen")
    if answer == "confirm":
        confirm(case, name, text, key=visit.session.signed_in)
    else:
        given = form.get("number", "") if answer == "number" else answer.removeprefix("is ")
        override(case, name, given, form.get("reason", ""), text, key=visit.session.signed_in)
    return RedirectResponse(f"/review/{quote(case.name)}?decided={quote(name)}", status_code=303)


def routes() -> list[Route]:
    """Where they are."""
    return [
        Route("/", home),
        Route("/review/{use_case}", queue),
        Route("/review/{use_case}/{prediction_id}", one),
        Route("/review/{use_case}/{prediction_id}", decide, methods=["POST"]),
    ]


def _reviewed(visit: Visit) -> UseCase:
    return load_use_case(visit.path("use_case"))


def _page_number(text: str) -> int:
    """From 0 on; what is no number is the first.

    >>> _page_number("3"), _page_number("x"), _page_number("-1")
    (2, 0, 0)
    """
    return max(int(text) - 1, 0) if text.isdecimal() else 0
