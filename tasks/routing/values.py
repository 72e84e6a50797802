"""Values of routing: where a use case's requests go."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.store import Value

Address = Annotated[str, Field(pattern=r"^https?://[^/\s`]+$")]


class Candidate(Value):
    """A release without traffic, which the gateway leads to only for those who name it."""

    release: str
    addresses: tuple[Address, ...]


class TrafficPlan(Value):
    """Where a use case's requests go: to one of these servers each, and to the candidate if they name it."""

    addresses: tuple[Address, ...] = ()
    candidate: Candidate | None = None

    def servers(self) -> tuple[str, ...]:
        """Every server that it leads to."""
        return (*self.addresses, *(self.candidate.addresses if self.candidate else ()))
