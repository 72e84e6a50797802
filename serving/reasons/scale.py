"""Scale: what the base and the contributions of an answer add up to."""

from __future__ import annotations

from typing import Literal

# Of two classes the log odds of the second; of several the chosen one's number before the softmax; a forest's probability;
# the number itself; the logarithm of the number.
Scale = Literal["log_odds", "logit", "probability", "value", "log_value"]
