"""What may stand under `reasons:` in a use case: how reasons are told in words, and towards which answer they are ranked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from configs.errors import nearest
from configs.forms import Strict
from configs.kinds import TOLD_OF, ColumnKind

ALWAYS, ABOVE, BELOW = "", "above", "below"
SIDES = ("higher", "lower")  # of a number, which people may not want
PLAIN = ("value",)  # what is told of every column
ON_REQUEST: Literal["on request"] = "on request"
Class = str | int | bool
Piece = str | tuple[str, str]  # a text, or a column and what of it is told
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def _by_value(given: Any) -> Any:
    return {ALWAYS: given} if isinstance(given, str) else given


# A template for every value, or one by value: `above` and `below` what is usual, or the value itself.
Templates = Annotated[dict[str, str], BeforeValidator(_by_value)]


class Reasons(Strict):
    """How reasons are told in words: at most so many an answer, those that moved it most towards the `unfavourable` side.

    That is a class or several, of a number `higher` or `lower`; without it every class but the favourable one. `groups` are
    columns that say one thing, and are ranked as one. A key of `templates` is a column or a group. A protected column, or
    one of the declared `proxies` of such, must be no feature, or with `on_protected: tell` is always named. `notice` is the
    path of a Jinja template for denial notices. `give` says when: with every native answer, with those that are asked for
    it, or not by the server at all but later, from the log.
    """

    give: Literal["always", "on request", "later"] = Field(ON_REQUEST, exclude_if=lambda given: given == ON_REQUEST)
    most: int = Field(4, ge=1)
    unfavourable: Class | list[Class] | None = None
    groups: dict[str, list[str]] = {}
    templates: dict[str, Templates] = {}
    proxies: list[str] = []
    on_protected: Literal["refuse", "tell"] = "refuse"
    notice: str | None = None

    @property
    def wanted(self) -> list[Class]:
        """The classes that are listed as unfavourable; none where that is left to what is favourable."""
        if self.unfavourable is None:
            return []
        return self.unfavourable if isinstance(self.unfavourable, list) else [self.unfavourable]

    def pieces(self, name: str, template: str) -> list[Piece]:
        """The parts of a template of the column or group of that name.

        Raises:
            ValueError: a brace has no other half, or a placeholder is none of what the template may name.

        >>> Reasons().pieces("debt", "debt is {value} %; at most {usual} % is usual")
        ['debt is ', ('debt', 'value'), ' %; at most ', ('debt', 'usual'), ' % is usual']
        >>> Reasons(groups={"money": ["debt", "rent"]}).pieces("money", "{{{debt}}} of {rent.usual}")
        ['{', ('debt', 'value'), '}', ' of ', ('rent', 'usual')]
        """
        found: list[Piece] = []
        at = 0
        for match in _BRACES.finditer(template):
            found += [template[at : match.start()], self._piece(name, match)]
            at = match.end()
        return [each for each in [*found, template[at:]] if each]

    def _piece(self, name: str, match: re.Match[str]) -> Piece:
        said, inner = match[0], match[1]
        if said in ("{{", "}}"):
            return said[0]
        if inner is None:
            raise ValueError(f"{said!r} stands alone; write {said * 2!r} for the sign itself")
        if name not in self.groups:
            if inner not in TOLD_OF["numeric"]:
                raise ValueError(f"{said} is no placeholder; {nearest(inner, TOLD_OF['numeric'])}")
            return name, inner
        columns = self.groups[name]
        column, _, word = (inner, "", "value") if inner in columns else inner.rpartition(".")
        if column not in columns or word not in TOLD_OF["numeric"]:
            fitting = [f"{each}.{word}" for each in columns for word in ("value", "usual")]
            raise ValueError(f"{said} is no placeholder of a group of {', '.join(columns)}; {nearest(inner, fitting)}")
        return column, word

    @model_validator(mode="after")
    def _consistent(self) -> Reasons:
        listed = [column for columns in self.groups.values() for column in columns]
        if twice := sorted({name for name in listed if listed.count(name) > 1}):
            raise ValueError(f"'groups': {twice[0]!r} is listed twice; a column says one thing")
        for name, columns in self.groups.items():
            if len(columns) < 2:
                raise ValueError(f"'groups': {name!r} has {len(columns)} columns; a group has two or more")
        if self.unfavourable == []:
            raise ValueError("'unfavourable' lists no class")
        return self

    def fits(
        self,
        problem: str,
        kinds: Mapping[str, ColumnKind],
        watched: Collection[str],
        protected: Collection[str],
        favourable: Class | None,
    ) -> None:
        """Nothing where it fits the rest of the use case: features by kind, those whose values the log has, fairness.

        Raises:
            ValueError: what does not, and what would.
        """
        for fault in chain(  # each looks only where those before it found nothing
            self._wrong_side(problem, favourable),
            self._wrong_groups(kinds, protected),
            self._wrong_templates(kinds, watched),
            self._not_logged(kinds, watched),
            self._protected(kinds, protected),
        ):
            raise ValueError(fault)

    def _wrong_side(self, problem: str, favourable: Class | None) -> Iterator[str]:
        where = "'reasons.unfavourable'"
        if problem in ("regression", "ranking"):
            if self.unfavourable not in SIDES:
                yield f"{where}: problem {problem!r} answers a number; write which is not wanted: {' or '.join(SIDES)}"
            return
        if self.unfavourable is None:
            if problem == "multiclass" and favourable is None:
                yield f"{where} is missing: which of the classes do people not want?"
        elif favourable is not None and favourable in self.wanted:
            yield f"{where}: {favourable!r} is what 'fairness' takes for favourable; no answer is both"

    def _wrong_groups(self, kinds: Mapping[str, ColumnKind], protected: Collection[str]) -> Iterator[str]:
        for name, columns in self.groups.items():
            if name in kinds:
                yield f"'reasons.groups': {name!r} is a feature; give the group a name of its own"
            for column in columns:
                if column not in kinds:
                    yield f"'reasons.groups.{name}': {column!r} is no feature; {nearest(column, kinds)}"
                if column in protected or column in self.proxies:
                    yield f"'reasons.groups.{name}': {column!r} is protected, or a proxy, and must not hide in a group"

    def _wrong_templates(self, kinds: Mapping[str, ColumnKind], watched: Collection[str]) -> Iterator[str]:
        for name, by_value in self.templates.items():
            where = f"'reasons.templates.{name}'"
            if name not in kinds and name not in self.groups:
                yield f"{where}: no feature and no group has that name; {nearest(name, [*kinds, *self.groups])}"
                continue
            for value, template in by_value.items():
                yield from (f"{where}: {fault}" for fault in self._wrong_value(name, value, kinds, watched))
                try:
                    pieces = self.pieces(name, template)
                except ValueError as error:
                    yield f"{where}: {error}"
                    continue
                for column, word in (piece for piece in pieces if not isinstance(piece, str)):
                    if word not in (told := told_of(column, kinds, watched)):
                        yield f"{where}: of {column!r} {{{word}}} is not known; what is: {', '.join(told)}"

    def _wrong_value(
        self, name: str, value: str, kinds: Mapping[str, ColumnKind], watched: Collection[str]
    ) -> Iterator[str]:
        if value == ALWAYS:
            return
        if name in self.groups:
            yield f"a group has one template for all values; found one for {value!r}"
        elif value in (ABOVE, BELOW):
            if "middle" not in told_of(name, kinds, watched):
                yield f"{value!r} what is usual is known only of numbers whose values the log keeps"
        elif kinds[name] == "numeric" and not _is_number(value):
            yield f"{value!r} is no value of a number; write {ABOVE}, {BELOW} or a number"

    def _not_logged(self, kinds: Mapping[str, ColumnKind], watched: Collection[str]) -> Iterator[str]:
        if self.give == "later" and (hidden := [name for name in kinds if name not in watched]):
            yield (
                f"'reasons.give': later, reasons are made from the log, which has no values of {', '.join(hidden)}; "
                f"write 'log: {{sensitive: keep}}', or 'give: {ON_REQUEST}' or 'give: always'"
            )

    def _protected(self, kinds: Mapping[str, ColumnKind], protected: Collection[str]) -> Iterator[str]:
        if self.on_protected == "refuse":
            for name in [*protected, *self.proxies]:
                if name in kinds:
                    which = "a protected column" if name in protected else "a declared proxy of one"
                    yield (
                        f"'reasons.on_protected': {name!r} is {which} and a feature, so it would be a reason; take it out "
                        "of 'features', or write 'on_protected: tell', and codes and notice name it"
                    )


def told_of(column: str, kinds: Mapping[str, ColumnKind], watched: Collection[str]) -> tuple[str, ...]:
    """What a template may name of a column: what is usual is not told where the log keeps no values."""
    return TOLD_OF[kinds[column]] if column in watched else PLAIN


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
