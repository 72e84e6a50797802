"""Admission: how much work may be in the server at once, decided before a request's body is even read.

What is refused must cost next to nothing, or a flood of refusals starves the requests that were accepted. So the number of
rows is estimated from the body's length, by what rows have measured so far; a few large requests have places of their own,
so that neither they nor small ones shut the other out. A place belongs to whoever has something to work on: a body that
does not come gives its place back (`lend`), and asks again when it is whole (`settle`).
"""

from __future__ import annotations

from serving.refusal import Refusal

QUEUE_ROWS = 512
LARGE_ROWS = 256  # a request with more is large: it is scored in slices
LARGE_BYTES = 1024 * 1024  # and so is a body of this size, however few rows it seems to hold
LARGE_REQUESTS = 4  # at once; they take turns, a slice each
FIRST_ROW_BYTES = 256.0  # until something was measured
SMOOTHING = 0.05


class Place:
    """What one request takes of the server: rows, or one of the few places for large ones."""

    __slots__ = ("held", "large", "rows", "size")

    def __init__(self, size: int, rows: int, large: bool) -> None:
        self.size, self.rows, self.large = size, rows, large
        self.held = True


class Admission:
    """One worker's places.

    >>> admission = Admission(queue_rows=2)
    >>> one, other, third = admission.enter(100), admission.enter(100), admission.enter(100)
    >>> (one.rows, other.rows, third)
    (1, 1, None)
    >>> admission.leave(one, 1)
    >>> admission.enter(100).rows
    1
    """

    def __init__(self, queue_rows: int = QUEUE_ROWS) -> None:
        self._limit = queue_rows
        self._row_bytes = FIRST_ROW_BYTES
        self._large = 0
        self.rows = 0

    def enter(self, body_bytes: int) -> Place | None:
        """A place for a request, to be given to `leave`, or None where there is none. An empty server takes any request."""
        rows = int(body_bytes / self._row_bytes) or 1
        if rows > LARGE_ROWS or body_bytes > LARGE_BYTES:
            if self._large >= LARGE_REQUESTS:
                return None
            self._large += 1
            return Place(body_bytes, 0, True)
        if self.rows and self.rows + rows > self._limit:
            return None
        self.rows += rows
        return Place(body_bytes, rows, False)

    def lend(self, place: Place) -> None:
        """Others may have the place while nothing comes of its request's body."""
        if place.held:
            place.held = False
            if place.large:
                self._large -= 1
            else:
                self.rows -= place.rows

    def settle(self, place: Place, body_bytes: int) -> bool:
        """The body is whole, and of this size: whether there is (still) a place for it."""
        self.lend(place)
        found = self.enter(body_bytes)
        if found is None:
            return False
        place.size, place.rows, place.large, place.held = found.size, found.rows, found.large, True
        return True

    def leave(self, place: Place, rows: int = 0) -> None:
        """Give the place back; `rows` is what the body held, or 0 where that is not known."""
        self.lend(place)
        if rows and place.size:
            self._row_bytes += SMOOTHING * (place.size / rows - self._row_bytes)


class Overloaded(Refusal):
    """There is no place."""

    def __init__(self) -> None:
        super().__init__(429, "the server has as much work as it takes on; try again later", 1)
