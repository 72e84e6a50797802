"""Refusals: why a request is not answered, in HTTP's terms; each transport has its own spelling."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is not answered. `status` is the HTTP status; `retry_after` seconds, where trying again helps."""

    def __init__(self, status: int, problem: str, retry_after: int | None = None) -> None:
        super().__init__(problem)
        self.status, self.problem, self.retry_after = status, problem, retry_after


def too_late(budget: float) -> Refusal:
    """The client's deadline passed while the request waited."""
    return Refusal(504, f"the deadline of {budget * 1000:.0f} ms passed before the request was scored")


def client_gone() -> Refusal:
    """Nobody waits for the answer; the status, which nobody sees, is nginx's for it."""
    return Refusal(499, "the client went away")


def unlogged(error: OSError) -> Refusal:
    """The prediction log cannot be written."""
    return Refusal(503, f"the prediction log cannot be written, so nothing is answered: {error.strerror}", 5)


def halted(reason: str) -> Refusal:
    """A person has stopped the use case."""
    return Refusal(503, f"a person has halted this model: {reason}", 60)


def too_many_explained(rows: int, most: int) -> Refusal:
    """Reasons of more rows than one request gets."""
    return Refusal(413, f"explain: {rows:,} rows in one request; at most {most:,} get reasons, so send several")


def too_many_rows(rows: int | None, most: int) -> Refusal:
    """More than one request may hold; None where nobody counted to the end."""
    found = "too many" if rows is None else f"{rows:,}"
    return Refusal(
        413, f"{found} rows in one request; at most {most:,} are taken, so send several, or score a file as a batch"
    )
