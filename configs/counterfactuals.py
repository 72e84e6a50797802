"""What may stand under `counterfactuals:` in a use case: which columns could have been otherwise, how far, and what for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from configs.errors import nearest
from configs.forms import Strict
from configs.kinds import ColumnKind

if TYPE_CHECKING:
    from configs.schema import ColumnRule

Class = str | int | bool
FITTING: dict[ColumnKind, tuple[str, ...]] = {  # what may be said of a column of a kind; of others nothing: they stay
    "numeric": ("minimum", "maximum", "step", "only", "says"),
    "categorical": ("among", "says"),
    "boolean": ("only", "says"),
}
NAMED = ("value", "was")  # what the words of a change may name


class Moving(Strict):
    """How one column may change: within a range, in whole `step`s, `only` up or down, to one `among` some categories.

    `says` are the words of a change: "debt had been {value} % of income instead of {was} %".
    """

    minimum: float | None = Field(None, allow_inf_nan=False)
    maximum: float | None = Field(None, allow_inf_nan=False)
    step: float | None = Field(None, gt=0, allow_inf_nan=False)
    only: Literal["up", "down"] | None = None
    among: list[str] | None = Field(None, min_length=1)
    says: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Moving:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"no value lies from 'minimum' {self.minimum:g} to 'maximum' {self.maximum:g}")
        if self.says is not None:
            _check_words(self.says)
        return self


class Reached(Strict):
    """From where on a number is wanted."""

    at_least: float | None = Field(None, allow_inf_nan=False)
    at_most: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_of_them(self) -> Reached:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give one of 'at_least' and 'at_most'")
        return self


Wanted = Annotated[
    Annotated[Class | list[Class], Tag("a class")] | Annotated[Reached, Tag("a bound")],
    Discriminator(lambda given: "a bound" if isinstance(given, dict | Reached) else "a class"),
]


class Counterfactuals(Strict):
    """What would have to change for an answer that is `wanted`: a class or several, or a bound of a number.

    At most `most` columns change; at most `shown` ways are told, each with a column that none before it changes. Protected
    columns and proxies never change, nor do texts, moments, and what is missing; nor those of `fixed`, a list, or all
    `others` than those of `columns`. `outcome` are words for the wanted answer: "approved".
    """

    wanted: Wanted | None = None
    outcome: str | None = Field(None, min_length=1)
    most: int = Field(3, ge=1, le=5)
    shown: int = Field(3, ge=1, le=10)
    fixed: list[str] | Literal["others"] = []
    columns: dict[str, Moving] = {}

    @property
    def classes(self) -> list[Class]:
        """Those that are listed as wanted; none where that is left to what is favourable."""
        if self.wanted is None or isinstance(self.wanted, Reached):
            return []
        return self.wanted if isinstance(self.wanted, list) else [self.wanted]

    def movable(self, kinds: Mapping[str, ColumnKind], stay: Collection[str]) -> list[str]:
        """The features that may change; `stay` are those that never do."""
        able = [name for name, kind in kinds.items() if kind in FITTING and name not in stay]
        return [name for name in able if name in self.columns or not (self.fixed == "others" or name in self.fixed)]

    @model_validator(mode="after")
    def _consistent(self) -> Counterfactuals:
        if self.wanted == []:
            raise ValueError("'wanted' lists no class")
        if self.fixed != "others" and (both := sorted(set(self.fixed) & set(self.columns))):
            raise ValueError(f"'fixed' lists {both[0]!r}, and 'columns' says how it may change; leave one out")
        return self

    def fits(
        self,
        problem: str,
        kinds: Mapping[str, ColumnKind],
        rules: Mapping[str, ColumnRule],
        watched: Collection[str],
        protected: Collection[str],
        unfavourable: Collection[Class] | None,
    ) -> None:
        """Nothing where it fits the rest of the use case.

        Args:
            problem: What is answered.
            kinds: The features by kind.
            rules: What the contract asks of some.
            watched: Those whose values the log keeps.
            protected: Protected columns, and proxies of such.
            unfavourable: The classes that are declared unfavourable; None where the use case says nothing of the kind.

        Raises:
            ValueError: what does not, and what would.
        """
        for fault in chain(  # each looks only where those before it found nothing
            self._wrong_aim(problem, unfavourable),
            self._wrong_columns(kinds, watched, protected),
            self._wrong_ranges(kinds, rules),
        ):
            raise ValueError(fault)
        if not self.movable(kinds, protected):
            raise ValueError("'counterfactuals': no column may change; take one out of 'fixed', or add it to 'columns'")

    def _wrong_aim(self, problem: str, unfavourable: Collection[Class] | None) -> Iterator[str]:
        where = "'counterfactuals.wanted'"
        if problem == "ranking":
            yield "'counterfactuals': problem 'ranking' orders rows, and no row has an answer of its own; leave it out"
        elif problem == "regression":
            if not isinstance(self.wanted, Reached):
                yield f"{where}: problem 'regression' answers a number; write {{at_least: ...}} or {{at_most: ...}}"
        elif isinstance(self.wanted, Reached):
            yield f"{where}: a bound is that of a number; problem {problem!r} answers a class, write which is wanted"
        elif self.wanted is None and unfavourable is None and problem == "multiclass":
            yield f"{where} is missing: which of the classes do people want?"
        elif unfavourable and (both := [each for each in self.classes if each in unfavourable]):
            yield f"{where}: {both[0]!r} is unfavourable elsewhere in this use case; no answer is both"

    def _wrong_columns(
        self, kinds: Mapping[str, ColumnKind], watched: Collection[str], protected: Collection[str]
    ) -> Iterator[str]:
        for name in self.fixed if self.fixed != "others" else ():
            if name not in kinds and name not in protected:
                yield f"'counterfactuals.fixed': {name!r} is no feature; {nearest(name, kinds)}"
        for name, moving in self.columns.items():
            where = f"'counterfactuals.columns.{name}'"
            if name in protected:
                yield f"{where}: it is a protected column, or a proxy of one, and nobody is told to change that"
            if name not in kinds:
                yield f"{where}: no feature has that name; {nearest(name, kinds)}"
                continue
            if (fitting := FITTING.get(kinds[name])) is None:
                yield f"{where}: it is {kinds[name]}, and such columns stay as they are; leave it out"
                continue
            if unfit := [key for key, said in moving if said is not None and key not in fitting]:
                yield f"{where}: it is {kinds[name]}, which has no {unfit[0]!r}; {' and '.join(fitting)} fit"
            if name not in watched:
                yield f"{where}: the log keeps no values of it; write 'log: {{sensitive: keep}}'"

    def _wrong_ranges(self, kinds: Mapping[str, ColumnKind], rules: Mapping[str, ColumnRule]) -> Iterator[str]:
        for name, moving in self.columns.items():
            where, rule = f"'counterfactuals.columns.{name}'", rules.get(name)
            if rule is None:
                continue
            if kinds[name] == "numeric":
                low = max(each for each in (moving.minimum, rule.minimum, float("-inf")) if each is not None)
                high = min(each for each in (moving.maximum, rule.maximum, float("inf")) if each is not None)
                if low > high:
                    yield f"{where}: no value from {low:g} to {high:g} is allowed by 'features.rules.{name}' too"
            strange = [each for each in moving.among or () if rule.allowed is not None and each not in rule.allowed]
            if strange:
                fits = nearest(strange[0], rule.allowed or ())
                yield f"{where}: 'features.rules.{name}' does not allow {strange[0]!r}; {fits}"


def _check_words(says: str) -> None:
    """Raises a ValueError where they name anything else than what is known of a change."""
    try:
        pieces = list(Formatter().parse(says))
    except ValueError as error:
        raise ValueError(f"'says': {error}; write {{{{ for the sign itself") from None
    for _, field, form, conversion in pieces:
        if field is not None and (field not in NAMED or form or conversion):
            raise ValueError(f"'says': {{{field}}} is not known; what is: {{value}} and {{was}}")
