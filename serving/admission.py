"""Admission: how much work may be in the server at once, decided before a request's body is even read.

What is refused must cost next to nothing, or a flood of refusals starves the requests that were accepted. So the number of
rows is estimated from the body's length, by what rows have measured so far; a few large requests have places of their own,
so that neither they nor small ones shut the other out.
"""

from __future__ import annotations

from serving.refusal import Refusal

QUEUE_ROWS = 512
LARGE_ROWS = 256  # a request with more is large: it is scored in slices
LARGE_REQUESTS = 4  # at once; they take turns, a slice each
FIRST_ROW_BYTES = 256.0  # until something was measured
SMOOTHING = 0.05


class Admission:
    """One worker's places.

    >>> admission = Admission(queue_rows=2)
    >>> admission.enter(100), admission.enter(100), admission.enter(100)
    (1, 1, None)
    >>> admission.leave(1, 100, 1)
    >>> admission.enter(100)
    1
    """

    def __init__(self, queue_rows: int = QUEUE_ROWS) -> None:
        self._limit = queue_rows
        self._row_bytes = FIRST_ROW_BYTES
        self._large = 0
        self.rows = 0

    def enter(self, body_bytes: int) -> int | None:
        """The rows that are now taken for a request (to be given to `leave`), or None where there is no place for it.

        An empty server takes any request; 0 is a large request's own place.
        """
        rows = int(body_bytes / self._row_bytes) or 1
        if rows > LARGE_ROWS:
            if self._large >= LARGE_REQUESTS:
                return None
            self._large += 1
            return 0
        if self.rows and self.rows + rows > self._limit:
            return None
        self.rows += rows
        return rows

    def leave(self, taken: int, body_bytes: int, rows: int) -> None:
        """Give the place back; `rows` is what the body held, or 0 where that is not known."""
        if taken:
            self.rows -= taken
        else:
            self._large -= 1
        if rows and body_bytes:
            self._row_bytes += SMOOTHING * (body_bytes / rows - self._row_bytes)


def overloaded() -> Refusal:
    """There is no place."""
    return Refusal(429, "the server has as much work as it takes on; try again later", 1)
