"""What a family of estimators knows of itself: how it is made, what it takes, and how it becomes a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from configs.errors import InputError, nearest
from configs.schema import Features, Model
from serving.contract.kinds.choose import KINDS
from tasks.columns.encoder import encoder
from tasks.problems.values import Learner
from tasks.training.estimators.sums import Sum


class Kept(NamedTuple):
    """The values of a parameter that become an exact graph, and why others do not."""

    values: tuple[Any, ...]
    why: str


class Family:
    """One family; what differs from what stands here, its file says."""

    linear = False  # how columns are encoded: scaled and one column a category, or a number each, as trees take them
    usual: Mapping[str, Any] = {}  # parameters that are not the library's own where a use case names none
    monotone = ""  # the parameter that says along which columns answers only rise (1) or fall (-1); empty where none does

    def classes(self) -> Mapping[Learner, Any]:
        """The estimators, by what problems learn."""
        raise NotImplementedError

    def encoder(self, features: Features) -> Any:
        """What is in front of the estimator, unfitted."""
        return encoder(features, self.linear)

    def unfitted(self, learner: Learner, features: Features, model: Model) -> Any:
        """The estimator of a model for these features.

        Raises:
            InputError: it has no such parameter, or with it cannot become a graph.
        """
        made, parameters = self.classes()[learner], {**self.usual, **model.parameters}
        if why := self.declined(learner, parameters):
            raise InputError(f"model.parameters: {model.estimator}: {why}")
        try:
            return made(random_state=model.seed, **self._by_place(parameters, features))
        except TypeError as error:
            raise InputError(f"model.parameters: {model.estimator}: {error}") from None

    def declined(self, learner: Learner, parameters: Mapping[str, Any]) -> str:
        """Why it cannot be made with these parameters, or could not be converted afterwards, and what would; or empty."""
        return ""

    def refusals(self) -> tuple[type[Exception], ...]:
        """What fitting raises, beside scikit-learn's own error, where a parameter has a value that is none."""
        return ()

    def adds(self, part: Any) -> Sum | None:
        """A fitted estimator of this family as what adds up to its output, in 64 bits; None where it is no such sum."""

    def teach(self) -> None:
        """Give skl2onnx the converters that it has not got by itself, where the library is loaded."""

    def settle(self, part: Any) -> None:
        """A fitted estimator of this family gets thresholds that are float32s, without another answer to any float32.

        A threshold is the middle of two values, in doubles. Where these are neighbours among the float32s, ONNX would round
        it to one of them, and in half of the cases to the larger one, whose rows would then turn left.
        """

    @staticmethod
    def unfit(parameters: Mapping[str, Any], kept: Mapping[str, Kept]) -> str:
        """The first parameter with a value that is not among those that may be kept, and why; or empty.

        >>> Family.unfit({"depth": 3, "sums": "odd"}, {"sums": Kept(("even",), "odd ones do not convert")})
        "sums: 'odd' does not fit: odd ones do not convert"
        """
        wrong = [name for name, value in parameters.items() if name in kept and value not in kept[name].values]
        return f"{wrong[0]}: {parameters[wrong[0]]!r} does not fit: {kept[wrong[0]].why}" if wrong else ""

    def _by_place(self, parameters: Mapping[str, Any], features: Features) -> Mapping[str, Any]:
        """Constraints by the name of a column, one for each column that the trees see, which have no names.

        >>> from configs.schema import Features
        >>> family = Family()
        >>> family.monotone = "rising"
        >>> family._by_place({"rising": {"a": -1}}, Features(categorical=["c"], numeric=["a"]))
        {'rising': (0, -1)}
        """
        named = parameters.get(self.monotone)
        if not isinstance(named, dict):
            return parameters
        if stray := sorted(set(named) - set(features.numeric)):
            raise InputError(f"model.parameters: {self.monotone}: {stray[0]!r}: {nearest(stray[0], features.numeric)}")
        listed = (named.get(name, 0) for name, kind in features.kinds.items() for _ in range(KINDS[kind].width))
        return {**parameters, self.monotone: tuple(listed)}
