"""Which kind a column is of."""

from __future__ import annotations

from typing import Literal

from serving.contract.kinds.categorical import Categorical
from serving.contract.kinds.kind import Kind
from serving.contract.kinds.numeric import Numeric

KindName = Literal["numeric", "categorical"]
KINDS: dict[KindName, Kind] = {"numeric": Numeric(), "categorical": Categorical()}
