"""A circuit breaker: an arm that fails again and again is off for a while, then tried with a single request at a time."""

from __future__ import annotations

from collections import deque

LAST = 20  # exchanges that are remembered
IN_A_ROW = 5  # failures that are enough
OFF_SECONDS = 5.0


class Breaker:
    """One worker's, of one arm. Times are seconds of one clock.

    >>> breaker = Breaker()
    >>> for _ in range(5):
    ...     breaker.failed(10.0)
    >>> breaker.admits(11.0), breaker.admits(15.1), breaker.admits(15.2)
    (False, True, False)
    >>> breaker.succeeded()
    >>> breaker.admits(15.3)
    True
    """

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=LAST)
        self._row = 0
        self._until: float | None = None

    @property
    def off(self) -> bool:
        """Whether the arm is off now, or only being tried."""
        return self._until is not None

    def admits(self, now: float) -> bool:
        """Whether a request may go there now; while the arm is off, one in every `OFF_SECONDS`."""
        if self._until is None:
            return True
        if now < self._until:
            return False
        self._until = now + OFF_SECONDS
        return True

    def succeeded(self) -> None:
        """An exchange brought an answer."""
        if self._until is not None:
            self._until = None
            self._last.clear()
        self._row = 0
        self._last.append(True)

    def failed(self, now: float) -> None:
        """An exchange brought none."""
        self._row += 1
        self._last.append(False)
        if self._until is not None or self._row >= IN_A_ROW or self._last.count(False) > LAST // 2:
            self._until = now + OFF_SECONDS
