"""Which kind a column is of."""

from __future__ import annotations

from typing import Literal

from serving.contract.kinds.boolean import Boolean
from serving.contract.kinds.categorical import Categorical
from serving.contract.kinds.datetime import Datetime
from serving.contract.kinds.kind import Kind
from serving.contract.kinds.numeric import Numeric
from serving.contract.kinds.text import Text

KindName = Literal["numeric", "categorical", "text", "datetime", "boolean"]
KINDS: dict[KindName, Kind] = {
    "numeric": Numeric(),
    "categorical": Categorical(),
    "text": Text(),
    "datetime": Datetime(),
    "boolean": Boolean(),
}
