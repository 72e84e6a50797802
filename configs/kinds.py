"""Column kinds: what a use case may say of a feature; what they do is `serving/contract/kinds/` and `tasks/columns/`."""

from __future__ import annotations

from typing import Literal, get_args

ColumnKind = Literal["categorical", "numeric"]
COLUMN_KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)  # in the order that the model sees them
