"""Phrase: how reasons are told in words, put into a file of the bundle: the templates, and what is usual in training."""

from __future__ import annotations

from typing import Any

from configs.errors import InputError
from configs.reasons import ON_REQUEST, SIDES
from configs.reasons import Reasons as Rules
from configs.schema import Recipe, UseCase
from serving.contract.contract import Contract
from serving.contract.spelling import CSV_BOOLEANS, spelled
from serving.reasons.codes import ABOVE, ALWAYS, BELOW, Coding, Piece, Usual, written
from tasks.columns.choose import kinds_of
from tasks.data.frames import contract_of, encode
from tasks.data.unfavourable import unfavourable_classes
from tasks.data.values import Split
from tasks.step import step
from tasks.store import put
from tasks.training.fit import taken_rows


@step
def phrase(use_case: UseCase, split: Split, contract: str, recipe: Recipe, reasons: str | None) -> str | None:
    """Keep the file that reasons are told in words from, and return its digest; None where the use case does not say how.

    Raises:
        InputError: it says how, and the model gives no reasons.
    """
    if use_case.reasons is None:
        return None
    if reasons is None:
        raise InputError(
            f"use case {use_case.name!r}: reasons: {recipe.model.named} with these parameters gives none; leave it out"
        )
    frame, _ = taken_rows(split.snapshot, split.final, recipe)
    return put("codes", ".json", written(coding(use_case, contract_of(contract), frame)))


def coding(use_case: UseCase, contract: Contract, frame: Any) -> Coding:
    """The content of the file; the frame holds the rows that the model learned from."""
    rules, fairness = use_case.reasons or Rules(), use_case.fairness
    protected = [*(fairness.protected if fairness else ()), *rules.proxies]
    return Coding(
        most=rules.most,
        unfavourable=unfavourable_classes(use_case, contract.classes),
        rising=not contract.classes and rules.unfavourable == SIDES[0],
        groups=rules.groups,
        templates={name: _by_value(use_case, rules, name) for name in rules.templates},
        usual=_usual(use_case, contract, frame),
        protected=[name for name in contract.names if name in protected],
        **({} if rules.give == ON_REQUEST else {"give": rules.give}),  # files of before have no such key
    )


def _by_value(use_case: UseCase, rules: Rules, name: str) -> dict[str, list[Piece]]:
    """The templates of a column or a group; of a number's values each as it is spelled."""
    number = use_case.features.kinds.get(name) == "numeric"
    return {_spelled(value, number): rules.pieces(name, said) for value, said in rules.templates[name].items()}


def _spelled(value: str, number: bool) -> str:
    if value in (ALWAYS, ABOVE, BELOW):
        return value
    if number:
        return spelled(float(value))
    return value.lower() if value in CSV_BOOLEANS else value  # YAML reads true, and keys are texts


def _usual(use_case: UseCase, contract: Contract, frame: Any) -> dict[str, Usual]:
    """Of each column whose values the log keeps: what was observed of others is in no file that travels."""
    kinds, encoded = kinds_of(use_case.features), encode(contract, frame)
    found = {}
    for name in use_case.watched:
        values = encoded[name].to_numpy()
        found[name] = Usual(**kinds[name].usual(values[~kinds[name].missing(values)]))
    return found
