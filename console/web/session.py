"""Who is signed in: a signed cookie that ends, and a token in each form that another site cannot know.

Nothing is kept here, so a restart signs nobody out. The cookie holds the id of an API key, never the key. Each request looks
the person up anew: who is taken out of the table of people, or whose key is revoked, is out with the next click.

Where a home has no table of people, whoever reaches the page is whoever runs it, as on the command line; forms have a
token all the same.
"""

from __future__ import annotations

import hmac
import secrets
import time
from pathlib import Path
from typing import Any, NamedTuple

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import home, made
from tasks.people import Person, SignedIn, key_id_of, people, who

COOKIE = "slipway_session"
LIFETIME, IDLE = 8 * 3600, 30 * 60  # seconds: since signing in, and since the last page
SECRET_BYTES = 32


class Forged(InputError):
    """A form came without the token that this session's pages have in theirs."""


class Session(NamedTuple):
    """`key_id` is "" for whoever has not signed in; `nonce` is what tokens are made of; `began` in seconds since 1970."""

    key_id: str
    nonce: str
    began: float

    @property
    def token(self) -> str:
        """What each form of this session has in it."""
        return hmac.new(_secret(), f"form {self.nonce}".encode(), "sha256").hexdigest()

    @property
    def signed_in(self) -> SignedIn | None:
        """Whom to ask for, where somebody is."""
        return SignedIn(self.key_id) if self.key_id else None


def session_of(request: Request) -> Session:
    """The session of the request's cookie; a new one, of nobody, where it has none that holds."""
    try:
        held: dict[str, Any] = _serializer().loads(request.cookies.get(COOKIE, ""), max_age=IDLE)
    except BadSignature:
        return new_session()
    session = Session(**held)
    return session if time.time() - session.began < LIFETIME else new_session()


def new_session(key: str = "") -> Session:
    """A session of whoever has that key, which must be one; without a key of nobody.

    Raises:
        InputError: it is no key in use, or nobody's.
    """
    key_id = ""
    if key:
        who(key)
        key_id = key_id_of(key)
    return Session(key_id, secrets.token_urlsafe(16), time.time())


def person_of(session: Session) -> Person | None:
    """Who that is now; None where they must sign in first.

    Raises:
        InputError: the table of people or a file of keys cannot be read.
    """
    if not people():
        return who()
    if session.signed_in is None:
        return None
    try:
        return who(session.signed_in)
    except InputError:
        people()  # a table that cannot be read is told as such
        return None


def check_token(session: Session, given: str) -> None:
    """Whether a form is one of this session's.

    Raises:
        Forged: it is not.
    """
    if not hmac.compare_digest(session.token, given):
        raise Forged("this form is not one of your session (it may have ended); load the page again, and send it from there")


def keep(response: Response, session: Session, secure: bool) -> None:
    """Put the session into the answer's cookie, as seen now."""
    value = _serializer().dumps(session._asdict())
    response.set_cookie(COOKIE, str(value), max_age=LIFETIME, httponly=True, samesite="strict", secure=secure)


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(_secret(), salt="session")


def _secret() -> bytes:
    """Made once for a home; who removes the file signs everybody out."""
    path = _path()
    if not path.exists():
        made(path.parent)
        write_atomically(path, secrets.token_bytes(SECRET_BYTES), 0o600)
    return path.read_bytes()


def _path() -> Path:
    return home() / "signing" / "sessions.key"
