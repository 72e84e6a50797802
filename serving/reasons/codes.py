"""Reason codes: in words what moved an answer towards the unfavourable side, from a file of the bundle.

The file is JSON, a `Coding`. It holds templates, already taken apart, and aggregates of the training rows; no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from serving.contract.contract import Contract

if TYPE_CHECKING:
    from serving.reasons.reasons import Explained

ALWAYS, ABOVE, BELOW = "", "above", "below"
NOT_KNOWN = "not known"
Give = Literal["always", "on request", "later"]
ON_REQUEST: Give = "on request"
ROUNDING = 1e-9  # a sum that is smaller moved nothing
Piece = str | tuple[str, str]  # a text, or a column and what of it is told


class Usual(msgspec.Struct, frozen=True, omit_defaults=True):
    """What training showed of a column: of numbers the quartiles, of a choice what is most frequent."""

    low: float | None = None
    middle: float | None = None
    high: float | None = None
    most: str = ""


class Coding(msgspec.Struct, frozen=True, omit_defaults=True):
    """The file's content.

    The columns of each of `groups` are ranked as one. `templates` are of columns and groups, by value: `above` and `below`
    the middle, a value itself, or "" for all. Of classes `unfavourable` lists those that people do not want; of numbers
    `rising` says whether it is a high one. `protected` columns, and proxies of such, are always named.
    `give` says when: with every native answer, with those that are asked for it, or not by a server at all.
    """

    most: int
    unfavourable: list[str | int | bool] = []
    rising: bool = False
    groups: dict[str, list[str]] = {}
    templates: dict[str, dict[str, list[Piece]]] = {}
    usual: dict[str, Usual] = {}
    protected: list[str] = []
    give: Give = ON_REQUEST


def written(coding: Coding) -> bytes:
    """The file: equal bytes for equal content."""
    return msgspec.json.format(msgspec.json.encode(coding, order="deterministic"), indent=1) + b"\n"


def read(content: bytes) -> Coding:
    """What `written` wrote."""
    return msgspec.json.decode(content, type=Coding)


class Codes:
    """Tells the codes of rows that were explained.

    Args:
        coding: What the file holds.
        contract: The bundle's.
        columns: The names that contributions are ordered by.
    """

    def __init__(self, coding: Coding, contract: Contract, columns: tuple[str, ...]) -> None:
        self._coding, self._classes = coding, contract.classes
        self._columns = {column.name: column for column in contract.columns}
        self._places = {name: place for place, name in enumerate(columns)}
        groups = {column: name for name, several in coding.groups.items() for column in several}
        self._units = list(dict.fromkeys(groups.get(name, name) for name in columns))  # a group stands where its first does
        self._member = np.array([[unit == groups.get(name, name) for unit in self._units] for name in columns], dtype=float)

    def told(self, arrays: Mapping[str, np.ndarray], found: Explained) -> list[list[dict[str, Any]]]:
        """The codes of each row, those that moved it most first.

        The first `most` are told, and whatever else is protected. Ties keep the order of the columns.

        Args:
            arrays: One (rows, 1) array a column, as the contract encodes it.
            found: What `Reasons.explain` made of them.
        """
        towards = self._sides(found.outputs)[:, None] * found.contributions
        moved = towards @ self._member
        order = np.argsort(-moved, axis=1, kind="stable")
        values, most, always = _Values(self._columns, arrays), self._coding.most, self._coding.protected
        return [
            [
                self._code(self._units[place], float(moved[row, place]), towards[row], values, row)
                for rank, place in enumerate(order[row].tolist())
                if moved[row, place] > ROUNDING and (rank < most or self._units[place] in always)
            ]
            for row in range(len(moved))
        ]

    def _sides(self, outputs: np.ndarray) -> np.ndarray:
        """1 where a larger output is the unfavourable side, else -1; of two classes the output is the second's."""
        if not self._classes:
            return np.full(len(outputs), 1.0 if self._coding.rising else -1.0)
        against = [each in self._coding.unfavourable for each in self._classes]
        if len(self._classes) == 2:
            return np.full(len(outputs), 1.0 if against[1] else -1.0)
        return np.where(np.array(against)[outputs], 1.0, -1.0)

    def _code(self, unit: str, moved: float, towards: np.ndarray, values: _Values, row: int) -> dict[str, Any]:
        """`moved` is in the units of the contributions; `protected` stands there only where it is."""
        group = self._coding.groups.get(unit)
        says = self._says(unit, values, row) if group is None else self._group(unit, group, towards, values, row)
        told: dict[str, Any] = {"columns": group or [unit], "says": says, "moved": moved}
        return {**told, "protected": True} if unit in self._coding.protected else told

    def _group(self, unit: str, columns: list[str], towards: np.ndarray, values: _Values, row: int) -> str:
        """Its template, or the sentences of those of its columns that moved the answer so."""
        moving = [name for name in columns if towards[self._places[name]] > 0]
        sentences = "; ".join(self._says(name, values, row) for name in moving)
        return self._filled(self._templates(unit).get(ALWAYS), values, row) or f"{unit}: {sentences}"

    def _says(self, name: str, values: _Values, row: int) -> str:
        """A template of the column where one fits and all that it names is known, else a plain sentence."""
        value = values.of(name, row)
        return self._filled(self._fitting(name, value), values, row) or self._plain(name, value)

    def _fitting(self, name: str, value: str | None) -> list[Piece] | None:
        templates, middle = self._templates(name), self._usual(name).middle
        if value is None:
            return None
        if value in templates:
            return templates[value]
        if middle is not None and float(value) != middle and (side := self._side(name, value)) in templates:
            return templates[side]
        return templates.get(ALWAYS)

    def _templates(self, name: str) -> dict[str, list[Piece]]:
        return self._coding.templates.get(name, {})

    def _filled(self, template: list[Piece] | None, values: _Values, row: int) -> str:
        """The sentence; empty where there is none, or a value that it names is missing."""
        said = []
        for piece in template or ():
            if isinstance(piece, str):
                said.append(piece)
                continue
            name, word = piece
            value = values.of(name, row)
            if value is None:
                return ""
            said.append(value if word == "value" else self._word(name, word, value))
        return "".join(said)

    def _word(self, name: str, word: str, value: str) -> str:
        usual = self._usual(name)
        if word == "usual":
            if usual.middle is None:
                return usual.most
            word = "high" if self._side(name, value) == ABOVE else "low"
        return _number(getattr(usual, word))

    def _plain(self, name: str, value: str | None) -> str:
        usual = self._usual(name)
        told = f"{name} is {NOT_KNOWN if value is None else value}"
        if usual.low is not None and usual.high is not None:
            low, high = _number(usual.low), _number(usual.high)
            return f"{told}; {low if low == high else f'{low} to {high}'} is usual"
        return f"{told}; {usual.most} is usual" if usual.most not in ("", value) else told

    def _side(self, name: str, value: str) -> str:
        middle = self._usual(name).middle
        return ABOVE if middle is not None and float(value) > middle else BELOW

    def _usual(self, name: str) -> Usual:
        return self._coding.usual.get(name, Usual())


class _Values:
    """What the rows have, as people read it; a column is looked at when something is said of it."""

    def __init__(self, columns: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self._columns, self._arrays = columns, arrays
        self._said: dict[str, list[str | None]] = {}

    def of(self, name: str, row: int) -> str | None:
        if name not in self._said:
            column = self._columns[name]
            self._said[name] = column.its.said(column, self._arrays[name].ravel())
        return self._said[name][row]


def _number(value: float) -> str:
    return f"{value:.12g}"
