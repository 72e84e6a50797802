"""Rows beside the holdout, on which a graph and what it was converted from must agree too: made, not drawn.

Data seldom lies where a conversion goes wrong: at the thresholds of trees, at what is missing or unknown, at the ends of the
numbers. Only rows that the contract lets in are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from serving.contract.contract import Column, Contract
from serving.contract.kinds.numeric import FLOAT32_MAX
from serving.contract.kinds.strings import MISSING
from tasks.columns.choose import KINDS
from tasks.data.frames import model_input
from tasks.packaging.splits import Ensemble, Room, Split, tree_nodes
from tasks.problems.problem import Problem

MOST_SPLITS = 20_000  # of more, so many by a fixed seed
BASES = 200  # rows of the holdout that everything is changed in
LARGEST = np.float32(FLOAT32_MAX)


class Made(NamedTuple):
    """A row: one of the holdout (its place among the bases), changed in some columns; and what for."""

    base: int
    change: dict[str, Any]
    aim: str


class Rows(NamedTuple):
    """Rows that are compared with each other's spread, encoded as the contract encodes; `aims` has what each is for."""

    encoded: Any
    aims: list[str]


class Generated(NamedTuple):
    """All of them. Of `splits` in the graph `sought` were looked for, and no row of the contract comes to `unreached`.

    `single` are rows at the ends of float32, each of which is compared alone.
    """

    together: Rows
    single: Rows
    splits: int
    sought: int
    unreached: int

    @property
    def told(self) -> str:
        """In a few words."""
        rows = f"{len(self.together.aims) + len(self.single.aims):,} generated rows"
        if not self.splits:
            return rows
        sample = f", of which {self.sought:,} were sampled" * (self.sought < self.splits)
        return f"{rows} ({self.splits:,} splits{sample}; no row comes to {self.unreached:,})"


def generate(content: bytes, contract: Contract, encoded: Any) -> Generated:
    """The rows for a graph; `encoded` is the holdout as the contract encodes it, its columns in the order of the graph."""
    bases = encoded.iloc[np.linspace(0, len(encoded) - 1, min(BASES, len(encoded))).round().astype(int)]
    bases = bases.reset_index(drop=True)
    columns = {column.name: column for column in contract.columns}
    made = [Made(base, {}, "a row of the holdout") for base in range(len(bases))]  # their spread is the scale of numbers
    splits = sought = unreached = 0
    for ensemble, read in _ensembles(content, contract):
        aims = _Aims(read, columns, bases)
        places = _sampled(ensemble.asking)
        splits, sought = splits + len(ensemble.asking), sought + len(places)
        for number, split in enumerate(ensemble.splits(places)):
            found = aims.rows(number % len(bases), split)
            unreached += not found
            made += found
    made += _odd_values(columns, bases)
    return Generated(_rows(bases, made), _rows(bases, _ends(columns, bases)), splits, sought, unreached)


def _sampled(places: np.ndarray) -> np.ndarray:
    if len(places) <= MOST_SPLITS:
        return places
    return np.sort(np.random.default_rng(0).choice(places, MOST_SPLITS, replace=False))


def _ensembles(content: bytes, contract: Contract) -> Iterator[tuple[Ensemble, Any]]:
    """Each ensemble of trees in the graph, and a function from encoded rows to what its trees are asked."""
    import onnx
    import onnxruntime as ort

    model = onnx.load_from_string(content)
    for node in tree_nodes(model):
        before = onnx.ModelProto()
        before.CopyFrom(model)
        del before.graph.output[:]
        before.graph.output.append(onnx.ValueInfoProto(name=node.input[0]))
        session = ort.InferenceSession(before.SerializeToString(), providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]

        def read(encoded: Any, session: Any = session, names: Any = names) -> np.ndarray:
            arrays = model_input(encoded)
            columns = zip(names, contract.columns, strict=True)
            feeds = {inside: column.its.graph(arrays[column.name]) for inside, column in columns}
            return np.asarray(session.run(None, feeds)[0], dtype=np.float32)

        yield Ensemble(node), read


class _Aims:
    """Finds the rows that come to a split.

    What a tree is asked is made of columns in some way, which is found out by trying: the values of one column are put
    into a row, and what changes comes from it. An input that is the column itself can be any number; of any other one the
    values are known that were tried. One that comes from several columns at once is left as it is.
    """

    def __init__(self, read: Any, columns: dict[str, Column], bases: Any) -> None:
        self.columns, self.base_inputs = columns, read(bases)
        self.bases = {name: bases[name].to_numpy() for name in columns}
        self.values = {name: _values(column, bases[name]) for name, column in columns.items()}
        self.inputs: dict[str, np.ndarray] = {}
        owners: dict[int, list[str]] = {}
        for name, values in self.values.items():
            tried = bases.iloc[[0] * len(values)].reset_index(drop=True)
            tried[name] = values
            self.inputs[name] = found = read(tried)
            changed = ~((found == found[0]) | (np.isnan(found) & np.isnan(found[0]))).all(axis=0)
            for feature in np.flatnonzero(changed).tolist():
                owners.setdefault(feature, []).append(name)
        self.owner = {feature: names[0] for feature, names in owners.items() if len(names) == 1}
        self.itself = {feature for feature, name in self.owner.items() if self._is_itself(feature, name)}

    def _is_itself(self, feature: int, name: str) -> bool:
        values = self.values[name]
        free = self.columns[name].its.free
        return free and values.dtype == np.float32 and np.array_equal(self.inputs[name][:, feature], values, equal_nan=True)

    def rows(self, base: int, split: Split) -> list[Made]:
        """Rows on both sides of the split and, where the column may be missing, with nothing; none if none gets there."""
        if split.feature not in self.owner:
            return []
        here = self.owner[split.feature]
        change: dict[str, Any] = {}
        rooms: dict[str, dict[int, Room]] = {}
        for feature, room in split.rooms.items():
            if feature in self.owner:
                rooms.setdefault(self.owner[feature], {})[feature] = room
            elif not room.holds(self.base_inputs[base, [feature]])[0]:
                return []
        for name, wanted in rooms.items():
            if name != here:
                fitting = self._fitting(name, wanted, base)
                if fitting is None:
                    return []
                change[name] = fitting
        aim = f"at tree {split.tree}, node {split.node}: column {here!r}"
        if split.feature in self.itself:
            aim += f" at {split.threshold!s}"
        return [Made(base, {**change, here: value}, aim) for value in self._sides(here, split, rooms.get(here, {}))]

    def _fitting(self, name: str, rooms: dict[int, Room], base: int) -> Any:
        """A value of a column that leads on; the base's own where it does."""
        own = self.bases[name][base]
        if len(rooms) == 1 and (feature := next(iter(rooms))) in self.itself:
            room = rooms[feature]
            if room.low <= room.high and (room.low < LARGEST and room.high > -LARGEST):
                return np.clip(np.float32(0) if np.isnan(own) else own, room.low, room.high)
            return np.float32(np.nan) if room.missing and self.columns[name].nullable else None
        fitting = np.flatnonzero(self._possible(name, rooms))
        return self.values[name][fitting[base % len(fitting)]] if len(fitting) else None

    def _possible(self, name: str, rooms: dict[int, Room]) -> np.ndarray:
        inputs, possible = self.inputs[name], np.ones(len(self.values[name]), dtype=bool)
        for feature, room in rooms.items():
            possible &= room.holds(inputs[:, feature])
        return possible

    def _sides(self, name: str, split: Split, rooms: dict[int, Room]) -> list[Any]:
        """Values of the column that is asked: next to the threshold on either side, and missing."""
        at = split.threshold
        if split.feature in self.itself and set(rooms) <= {split.feature}:
            room = rooms.get(split.feature, Room())
            near = np.array([np.nextafter(at, -np.inf), at, np.nextafter(at, np.inf), np.nan], dtype=np.float32)
            return list(near[room.holds(near) & _allowed(self.columns[name], near)])
        inputs, places = self.inputs[name][:, split.feature], np.flatnonzero(self._possible(name, rooms))
        sides = [places[inputs[places] <= at], places[inputs[places] > at], places[np.isnan(inputs[places])]]
        closest = [side[np.argmin(np.abs(np.nan_to_num(inputs[side]) - at))] for side in sides if len(side)]
        return [self.values[name][place] for place in closest]


def _values(column: Column, held: Any) -> np.ndarray:
    """Values of a column as its kind tries them, and missing where it may be."""
    values = KINDS[column.kind].tried(column, held)
    return np.append(values, _missing(column)) if column.nullable or not len(values) else values


def _allowed(column: Column, values: np.ndarray) -> np.ndarray:
    """Which numbers the contract lets in."""
    low = -FLOAT32_MAX if column.minimum is None else column.minimum
    high = FLOAT32_MAX if column.maximum is None else column.maximum
    return np.where(np.isnan(values), column.nullable, (values >= low) & (values <= high))


def _odd_values(columns: dict[str, Column], bases: Any) -> list[Made]:
    """A column missing, all missing, a category never seen and each of the rare ones, numbers next to zero."""
    made, nothing = [], {name: _missing(column) for name, column in columns.items() if column.nullable}
    for number, (name, column) in enumerate(columns.items()):
        seen = bases[name].value_counts()
        rare = sorted((column.allowed or column.categories), key=lambda text: (seen.get(text, 0), text))[:5]
        odd = [(value, str(value)) for value in [*rare, *KINDS[column.kind].news(column)]]
        odd += [(_missing(column), "missing")] * column.nullable
        made += [Made(number % len(bases), {name: value}, f"column {name!r} {told}") for value, told in odd]
    return [*made, *(Made(base, nothing, "all missing") for base in range(min(5, len(bases))) if nothing)]


def _ends(columns: dict[str, Column], bases: Any) -> list[Made]:
    """The largest numbers of either sign that the contract lets in, a column at a time."""
    made = []
    for number, column in enumerate(each for each in columns.values() if each.dtype == "float32" and each.its.free):
        ends = np.array([-FLOAT32_MAX, FLOAT32_MAX], dtype=np.float32)
        ends = np.clip(ends, column.minimum, column.maximum) if (column.minimum, column.maximum) != (None, None) else ends
        made += [
            Made(number % len(bases), {column.name: np.float32(value)}, f"column {column.name!r} {value:g}")
            for value in ends
        ]
    return made


def _missing(column: Column) -> Any:
    return np.float32(np.nan) if column.dtype == "float32" else MISSING


def _rows(bases: Any, made: list[Made]) -> Rows:
    """The rows as one frame."""
    encoded = bases.iloc[[one.base for one in made]].reset_index(drop=True)
    for name in bases.columns:
        changed = [(row, one.change[name]) for row, one in enumerate(made) if name in one.change]
        if changed:
            values = encoded[name].to_numpy(copy=True)
            values[[row for row, _ in changed]] = [value for _, value in changed]
            encoded[name] = values
    return Rows(encoded, [one.aim for one in made])


def apart(problem: Problem, found: np.ndarray, expected: np.ndarray, usual: np.ndarray | None = None) -> np.ndarray:
    """How far apart outputs are, shape (rows,), as the problem has it; infinitely where one of them is no number."""
    return np.nan_to_num(problem.difference(found, expected, usual), nan=np.inf)
