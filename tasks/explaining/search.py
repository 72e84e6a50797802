"""Search: few changes of a record after which a model answers as wanted.

First every change of one column, then further changes beside the most promising of those that do not lead there: those
that come nearest, and those that come nearest for their price. What leads there is made as small as it can be: no change of
it can be left out, and none can be smaller while the others stay. More columns at once are looked at along a beam and not
all of them, so that nothing found is no proof that there is nothing. Nothing is drawn: the same question, the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from tasks.explaining.moves.move import Move

ALONE, BESIDE = 128, 16  # values of a column that are tried alone, and beside other changes: evenly from near to far
BEAM = 24  # sets of changes that others are put beside
KEPT = 24  # sets of columns whose cheapest changes are made as small as they can be

Changes = tuple[tuple[str, Any], ...]  # what columns become, in the order of the columns
Ask = Callable[[Sequence[Changes]], tuple[np.ndarray, np.ndarray]]  # which reach the aim, and how near each comes


class Priced(NamedTuple):
    """Changes, and how far they are in all."""

    distance: float
    changes: Changes

    @property
    def price(self) -> float:
        """What they cost: the distance, and 1 for each column, since few changes are wanted."""
        return self.distance + len(self.changes)


class Search:
    """Of one record.

    Args:
        ask: Asks the model.
        record: What it was given.
        moves: Of the columns that may change.
        most: How many may at once.
    """

    def __init__(self, ask: Ask, record: Mapping[str, Any], moves: Mapping[str, Move], most: int) -> None:
        self._ask, self._record, self._moves, self._most = ask, record, moves, most
        self._values = {name: move.values(record[name]) for name, move in moves.items() if record.get(name) is not None}
        self._places = {name: place for place, name in enumerate(moves)}
        self.asked = 0

    def found(self) -> list[Priced]:
        """Changes that lead there, of each set of columns the smallest that were found, the cheapest first."""
        reached = sorted(self._explored(), key=_price)[:KEPT]
        return sorted(dict.fromkeys(self._smallest(each.changes) for each in reached), key=_price)

    def _priced(self, changes: Changes) -> Priced:
        return Priced(sum(self._far(name, value) for name, value in changes), changes)

    def _far(self, name: str, value: Any) -> float:
        return self._moves[name].distance(self._record[name], value)

    def _answers(self, proposals: Sequence[Changes]) -> tuple[np.ndarray, np.ndarray]:
        self.asked += len(proposals)
        return self._ask(proposals)

    def _explored(self) -> Iterable[Priced]:
        """Of each set of columns the cheapest changes that lead there."""
        alone, beside = self._tried(ALONE), self._tried(BESIDE)
        (_,), (start,) = self._answers([()])
        cheapest: dict[tuple[str, ...], Priced] = {}
        enough: set[Changes] = set()
        beam: list[Changes] = [()]
        for size in range(self._most):
            proposals = self._beside(beam, [each for each in beside if (each,) not in enough] if size else alone)
            if not proposals:
                break
            reached, scores = self._answers(proposals)
            rest = []
            for changes, there, score in zip(proposals, reached.tolist(), scores.tolist(), strict=True):
                priced, columns = self._priced(changes), _columns(changes)
                if there:
                    enough.add(changes)
                    cheapest[columns] = min(cheapest.get(columns, priced), priced, key=_price)
                elif score > start:
                    rest.append((priced, score - start))
            beam = _promising(rest)
        return cheapest.values()

    def _tried(self, most: int) -> list[tuple[str, Any]]:
        return [(name, value) for name, values in self._values.items() for value in _evenly(values, most)]

    def _beside(self, beam: Sequence[Changes], tried: Sequence[tuple[str, Any]]) -> list[Changes]:
        """Each of the beam with one change more, each once."""
        found: dict[Changes, None] = {}
        for changes in beam:
            taken = _columns(changes)
            for change in tried:
                if change[0] not in taken:
                    found[tuple(sorted((*changes, change), key=lambda each: self._places[each[0]]))] = None
        return list(found)

    def _smallest(self, changes: Changes) -> Priced:
        """Without those that can be left out, and each as small as it can be; then once more, until that changes nothing."""
        while True:
            smaller = self._shrunk(self._fewest(changes))
            if smaller == changes:
                return self._priced(changes)
            changes = smaller

    def _fewest(self, changes: Changes) -> Changes:
        """The cheapest of the fewest that lead there by themselves."""
        parts = [part for size in range(1, len(changes)) for part in combinations(changes, size)]
        if not parts:
            return changes
        there = [self._priced(part) for part, ok in zip(parts, self._answers(parts)[0].tolist(), strict=True) if ok]
        return min(there, key=lambda each: (len(each.changes), each.price)).changes if there else changes

    def _shrunk(self, changes: Changes) -> Changes:
        """Column after column, the largest change first, the nearest value that still leads there."""
        for name, value in sorted(changes, key=lambda each: -self._far(*each)):
            now, far = dict(changes), self._far(name, value)
            nearer = [each for each in self._values[name] if self._far(name, each) < far]
            proposals = [tuple({**now, name: each}.items()) for each in nearer]
            if proposals and (there := self._answers(proposals)[0]).any():
                changes = proposals[int(there.argmax())]
        return changes


def _evenly(values: Sequence[Any], most: int) -> list[Any]:
    places = np.unique(np.linspace(0, len(values) - 1, most).round().astype(int)) if values else ()
    return [values[place] for place in places]


def _columns(changes: Changes) -> tuple[str, ...]:
    return tuple(name for name, _ in changes)


def _price(priced: Priced) -> float:
    return priced.price


def _promising(rest: Sequence[tuple[Priced, float]]) -> list[Changes]:
    """Half of the beam by gain, half by gain for the price; of each set of columns one by either, of equals the cheaper."""
    found: dict[Changes, None] = {}
    for power in (0, 1):
        best: dict[tuple[str, ...], tuple[float, float, Changes]] = {}
        for priced, gain in rest:
            columns, rank = _columns(priced.changes), (-gain / priced.price**power, priced.price, priced.changes)
            if columns not in best or rank[:2] < best[columns][:2]:
                best[columns] = rank
        found |= dict.fromkeys(each[2] for each in sorted(best.values(), key=lambda each: each[:2])[: BEAM // 2])
    return list(found)
