"""Which columns may change, and how: the one place where the kind of a column is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from configs.counterfactuals import Moving
from serving.contract.contract import Column
from serving.contract.kinds.choose import KindName
from tasks.explaining.moves.boolean import Flags
from tasks.explaining.moves.categorical import Choices
from tasks.explaining.moves.move import Move
from tasks.explaining.moves.numeric import Numbers

MOVES: dict[KindName, Callable[[Column, Moving, np.ndarray], Move]] = {
    "numeric": Numbers,
    "categorical": Choices,
    "boolean": Flags,
}


def moves_of(
    columns: Mapping[str, Column], declared: Mapping[str, Moving], observed: Mapping[str, np.ndarray]
) -> dict[str, Move]:
    """By column. One that was always missing has no values to go to, and so no move."""
    return {
        name: MOVES[column.kind](column, declared.get(name, Moving()), observed[name])
        for name, column in columns.items()
        if column.kind in MOVES and len(observed.get(name, ()))
    }
