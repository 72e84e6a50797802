"""The pages: sign in, what waits, and decide. Every page works without JavaScript and loads nothing from elsewhere."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from configs.errors import CheckFailed, InputError
from console.web.session import Forged, Session, check_token, keep, new_session, person_of, session_of
from tasks.people import NotAllowed, Person, people

logger = logging.getLogger(__name__)
HERE = Path(__file__).parent
FORM_BYTES = 64 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
templates = Jinja2Templates(HERE / "templates")


class Visit:
    """One request of somebody who may see pages: who it is, their session, and the form that they sent."""

    def __init__(self, request: Request, session: Session, person: Person, form: dict[str, str]) -> None:
        self.request, self.session, self.person, self.form = request, session, person, form

    def page(self, name: str, status: int = 200, **shown: Any) -> Response:
        """A page, for this person."""
        own = {"person": self.person, "token": self.session.token, "signed_in": bool(self.session.key_id)}
        return templates.TemplateResponse(self.request, name, {**own, **shown}, status_code=status)

    def path(self, name: str) -> str:
        """A part of the address."""
        return str(self.request.path_params[name])


Page = Callable[[Visit], Response]


def shown_to_people(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page that only somebody sees who is signed in; forms must be this session's; what is wrong is a page, too."""

    @wraps(page)
    async def answer(request: Request) -> Response:
        form = await _form(request)
        return await run_in_threadpool(_visited, page, request, form)

    return answer


def _visited(page: Page, request: Request, form: dict[str, str]) -> Response:
    session = session_of(request)
    try:
        if (person := person_of(session)) is None:
            back = quote(request.url.path if request.method == "GET" else "/")
            return _kept(RedirectResponse(f"/sign-in?next={back}", status_code=303), session, request)
        if request.method == "POST":
            check_token(session, form.get("token", ""))
        visit = Visit(request, session, person, form)
        answer = page(visit)
        session = visit.session
    except NotAllowed as error:
        answer = _wrong(request, session, 403, "You may not do this", error)
    except Forged as error:
        answer = _wrong(request, session, 403, "Not sent from here", error)
    except CheckFailed as error:
        answer = _wrong(request, session, 409, "Nothing was changed", error)
    except InputError as error:
        answer = _wrong(request, session, 422, "Nothing was changed", error)
    return _kept(answer, session, request)


def _wrong(request: Request, session: Session, status: int, title: str, error: Exception) -> Response:
    shown = {"title": title, "error": str(error), "person": None, "token": session.token, "signed_in": bool(session.key_id)}
    return templates.TemplateResponse(request, "wrong.html", shown, status_code=status)


def _kept(answer: Response, session: Session, request: Request) -> Response:
    keep(answer, session, request.url.scheme == "https")
    answer.headers.update(HEADERS)
    return answer


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, by name; of a field that stands there twice the last."""
    if request.method != "POST":
        return {}
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            return {}  # which has no token
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items()}


async def sign_in(request: Request) -> Response:
    """Asks for an API key; what was typed is kept nowhere."""
    form = await _form(request)
    return await run_in_threadpool(_signed_in, request, form)


def _signed_in(request: Request, form: dict[str, str]) -> Response:
    session, error, back = session_of(request), "", request.query_params.get("next", "/")
    back = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"  # never to another site
    if request.method == "POST":
        try:
            check_token(session, form.get("token", ""))
            if key := form.get("key", "").strip():
                return _kept(RedirectResponse(back, status_code=303), new_session(key), request)
            error = "An API key is needed."
        except InputError as wrong:
            error = str(wrong)
    shown = {
        "person": None,
        "token": session.token,
        "signed_in": False,
        "error": error,
        "back": back,
        "needed": bool(people()),
    }
    answer = templates.TemplateResponse(request, "sign_in.html", shown, status_code=401 if error else 200)
    return _kept(answer, session, request)


@shown_to_people
def sign_out(visit: Visit) -> Response:
    """The cookie becomes nobody's."""
    visit.session = new_session()
    return RedirectResponse("/sign-in", status_code=303)


async def ready(_: Request) -> Response:
    """For whoever supervises it."""
    return PlainTextResponse("ok")


def hosts() -> list[str]:
    """The names by which browsers may call this server, so that another site's name that leads here is no way in.

    `SLIPWAY_WEB_HOSTS` adds those of a proxy before it, separated by commas.
    """
    return ["127.0.0.1", "localhost", *filter(None, os.environ.get("SLIPWAY_WEB_HOSTS", "").split(","))]


def app() -> Starlette:
    """All pages."""
    from console.web import decisions, review, why

    routes = [
        Route("/ready", ready),
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        *review.routes(),
        *decisions.routes(),
        *why.routes(),
    ]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts())])
