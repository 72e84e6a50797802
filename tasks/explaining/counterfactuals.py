"""Counterfactuals: what would have to change for the answer that people want, by asking the model of the version again.

After Wachter, Mittelstadt & Russell, "Counterfactual explanations without opening the black box" (2017): the nearest record
that is answered otherwise; with what Mothilal, Sharma & Tan, "Explaining machine learning classifiers through diverse
counterfactual explanations" (2020), ask of several: feasible, few changes each, and different. Never in a request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from configs.counterfactuals import Moving
from configs.errors import InputError
from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.contract.heads.choose import head_of
from serving.contract.records import Records
from serving.scoring.onnx import Scorer
from tasks.explaining.aim import Aim, aim_of
from tasks.explaining.moves.choose import moves_of
from tasks.explaining.moves.move import Move
from tasks.explaining.observed import Observed, observed_of
from tasks.explaining.search import Changes, Priced, Search
from tasks.explaining.stored import UntoldError, logged
from tasks.explaining.values import Changed, Way, WhatIf

PLAIN = "{column} had been {value} instead of {was}"


def what_if(use_case: UseCase, record: dict[str, Any], digest: str) -> WhatIf:
    """What would have to change of a logged prediction; `digest` is that of its version's bundle.

    What may change is what the use case says now; the model, and what is near its data, are of the version that answered.

    Raises:
        InputError: the use case says nothing of what may change, or the home does not have the version's reference rows.
        CheckFailed: those are not what the bundle names.
    """
    check_declared(use_case)
    version = str(record["model_version"])
    try:
        found = logged(record, digest)
    except UntoldError as error:
        return WhatIf(version=version, outcome="", none=str(error))
    asked = Asked(use_case, found.bundle.contract, found.scorer, observed_of(found.bundle))
    return asked.what_if(found.given, version)


def check_declared(use_case: UseCase) -> None:
    """Nothing where it says what may change.

    Raises:
        InputError: it does not.
    """
    if use_case.counterfactuals is None:
        raise InputError(
            f"use case {use_case.name!r} has no 'counterfactuals', so nothing says what could have been otherwise and what "
            "never; write the block (docs/counterfactuals.md)"
        )


class Asked:
    """A model that is asked what would have to change; it holds no row."""

    def __init__(self, use_case: UseCase, contract: Contract, scorer: Scorer, observed: Observed) -> None:
        assert use_case.counterfactuals is not None
        rules = use_case.counterfactuals
        self.rules, self._contract, self._scorer, self._observed = rules, contract, scorer, observed
        self._records, self._head = Records(contract), head_of(contract)
        self._aim: Aim = aim_of(use_case, contract)
        movable = rules.movable({column.name: column.kind for column in contract.columns}, use_case.never_changed)
        columns = {column.name: column for column in contract.columns if column.name in movable}
        self.moves: dict[str, Move] = moves_of(columns, rules.columns, observed.present)

    def what_if(self, given: Mapping[str, Any], version: str = "") -> WhatIf:
        """Of one record by name, as a client sends it.

        Raises:
            ContractError: it is none that the model takes.
        """
        outcome = self.rules.outcome or self._aim.told
        base = self._contract.encode([given])
        said = WhatIf(version=version, outcome=outcome, movable=list(self.moves), most=self.rules.most)
        if self._aim.reached(self._scorer.outputs(base)).all():
            return said.model_copy(update={"none": f"it was {self._aim.told} as it is: nothing would have to change"})
        search = Search(lambda proposals: self._answers(base, proposals), given, self.moves, self.rules.most)
        ways = self._ways(given, self._near(base, search.found()))
        said = said.model_copy(update={"ways": ways, "asked": search.asked})
        return said if ways else said.model_copy(update={"none": self._nothing(search)})

    def _answers(self, base: Mapping[str, np.ndarray], proposals: Sequence[Changes]) -> tuple[np.ndarray, np.ndarray]:
        outputs = self._scorer.outputs(self._changed(base, proposals))
        return self._aim.reached(outputs), self._aim.score(outputs)

    def _changed(self, base: Mapping[str, np.ndarray], proposals: Sequence[Changes]) -> dict[str, np.ndarray]:
        arrays = {name: np.repeat(values, len(proposals), axis=0) for name, values in base.items()}
        for row, changes in enumerate(proposals):
            for name, value in changes:
                arrays[name][row, 0] = value
        return arrays

    def _near(self, base: Mapping[str, np.ndarray], found: Sequence[Priced]) -> list[Priced]:
        """Those that are no more of a stranger among the rows of the training than nearly all of these are to each other.

        A record that was more of one already may come to be so by as much again, and no more.
        """
        if not found:
            return []
        before, *after = self._observed.nearest(self._changed(base, [(), *(each.changes for each in found)])).tolist()
        usual = self._observed.usual
        most = usual if before <= usual else before + usual
        return [each for each, far in zip(found, after, strict=True) if far <= most]

    def _ways(self, given: Mapping[str, Any], found: Sequence[Priced]) -> list[Way]:
        """The cheapest, and after it each that changes a column which none before it does."""
        told: list[Way] = []
        seen: set[str] = set()
        for each in found:
            columns = {name for name, _ in each.changes}
            if len(told) < self.rules.shown and columns - seen and (way := self._way(given, each)):
                told.append(way)
                seen |= columns
        return told

    def _way(self, given: Mapping[str, Any], priced: Priced) -> Way | None:
        """The record as it would be sent, read and answered as the server does it; None where that is not as wanted.

        The search asked in batches, whose sums may differ in the last bits.
        """
        record = {**given, **dict(priced.changes)}
        rows = self._records.read([msgspec.Raw(json.dumps(record).encode())])
        (answer,), (output,) = self._head.answer(self._scorer.outputs(self._records.feeds(self._records.inputs(rows))))
        if not self._aim.holds(answer):
            return None
        changes = [
            Changed(column=name, was=given[name], value=value, says=self._says(name, given[name], value))
            for name, value in priced.changes
        ]
        return Way(changes=changes, distance=priced.distance, answer=answer, output=output)

    def _says(self, name: str, was: Any, value: Any) -> str:
        said, template = self.moves[name].said, self.rules.columns.get(name, Moving()).says or PLAIN
        return template.format(column=name, value=said(value), was=said(was))

    def _nothing(self, search: Search) -> str:
        return (
            f"nothing in reach: no change of at most {self.rules.most} of {', '.join(self.moves) or 'no column'} that was "
            f"tried ({search.asked:,} records) is {self._aim.told} and near the data"
        )
