"""Which head a contract's model has."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from serving.contract.contract import Contract, Problem
from serving.contract.heads.abstaining import Abstaining
from serving.contract.heads.classes import Classes
from serving.contract.heads.head import Head
from serving.contract.heads.interval import NumberWithin
from serving.contract.heads.number import Number

HEADS: dict[Problem, Callable[[Contract], Head]] = {
    "binary": Classes,
    "multiclass": Classes,
    "regression": Number,
    "ranking": Number,
}
WITHIN: dict[Problem, Callable[[Contract], Head]] = {"regression": NumberWithin}
UNLESS_UNSURE: dict[Problem, Callable[[Contract], Head]] = {"binary": Abstaining, "multiclass": Abstaining}


def head_of(contract: Contract) -> Head:
    """The head of a contract's model."""
    if contract.confidence is not UNSET:
        return UNLESS_UNSURE[contract.problem](contract)
    return (HEADS if contract.interval is UNSET else WITHIN)[contract.problem](contract)
