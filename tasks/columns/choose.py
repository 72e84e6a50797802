"""Which kind a feature is of: the one place where it is chosen."""

from __future__ import annotations

from configs import kinds as words
from configs.schema import Features
from tasks.columns.boolean import Boolean
from tasks.columns.categorical import Categorical
from tasks.columns.datetime import Datetime
from tasks.columns.kind import ColumnKind
from tasks.columns.numeric import Numeric
from tasks.columns.text import Text

NUMBERS: ColumnKind = Numeric()
KINDS: dict[words.ColumnKind, ColumnKind] = {
    "categorical": Categorical(),
    "numeric": NUMBERS,
    "text": Text(),
    "datetime": Datetime(),
    "boolean": Boolean(),
}


def kinds_of(features: Features) -> dict[str, ColumnKind]:
    """Of every feature its kind, by name.

    >>> kinds_of(Features(numeric=["age"]))["age"] is NUMBERS
    True
    """
    return {name: KINDS[kind] for name, kind in features.kinds.items()}
