"""The story of an answer as a page, for auditors; and the same as a file that stands alone."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from configs.errors import InputError
from console.web.app import HERE, Visit, shown_to_people, templates
from tasks.audit.story import story
from tasks.audit.why import Why, asked_of
from tasks.people import may


@shown_to_people
def find(visit: Visit) -> Response:
    """To the answer whose id was typed into the form."""
    may("auditor", "ask why an answer was given", visit.session.signed_in)
    query = visit.request.query_params
    if not (name := query.get("prediction_id", "").strip()):
        raise InputError("write the id of a prediction, as whoever asked got it with the answer")
    use_case = query.get("use_case", "")
    more = f"?{urlencode({'use_case': use_case})}" if use_case else ""
    return RedirectResponse(f"/why/{quote(name, safe='')}{more}", status_code=303)


@shown_to_people
def why(visit: Visit) -> Response:
    """What was asked and answered, why, by what; who decided what, what came of it, and whether it is proven."""
    may("auditor", "ask why an answer was given", visit.session.signed_in)
    found = asked_of(visit.path("prediction_id"), visit.request.query_params.get("use_case") or None)
    return visit.page("why.html", found=found, story=story(found))


def alone(found: Why) -> str:
    """The page as one file, which needs nothing beside it."""
    style = (HERE / "static" / "style.css").read_text(encoding="utf-8")
    return templates.env.get_template("alone.html").render(found=found, story=story(found), style=style)


def routes() -> list[Route]:
    """Where they are."""
    return [Route("/why", find), Route("/why/{prediction_id}", why)]
