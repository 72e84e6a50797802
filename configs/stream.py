"""What may stand under `stream:` in a use case: where its messages come from, and where answers go."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from configs.forms import Strict

Subject = Annotated[str, Field(pattern=r"^[^\s.*>]+(\.[^\s.*>]+)*$")]  # one that can be published to
Filter = Annotated[str, Field(pattern=r"^[^\s.]+(\.[^\s.]+)*$")]  # which may hold * and >


class Stream(Strict):
    """Messages of a stream of NATS JetStream at `server`; `stream` must be there, how long it keeps what is its owner's.

    `subject` are those of its subjects that are taken, all where it is left out. Answers are published to `answers`, and
    messages that cannot be taken to `dead`, with the reason. A message with which the server fails is tried so many `tries`.
    `credentials` is the name of a secret, the content of a NATS credentials file.
    """

    server: str = Field(pattern=r"^(nats|tls)://[^\s,]+(,(nats|tls)://[^\s,]+)*$")
    stream: str = Field(pattern=r"^[^\s.*>/\\]+$")
    subject: Filter | None = None
    answers: Subject | None = None
    dead: Subject | None = None
    tries: int = Field(5, ge=1, le=100)
    credentials: str | None = Field(None, pattern=r"^[A-Z][A-Z0-9_]*$")
