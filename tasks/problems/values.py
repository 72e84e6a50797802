"""Values of problems."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tasks.store import Value

Learner = Literal["classifier", "regressor"]  # what learns it, in scikit-learn's words
Answered = tuple[np.ndarray, np.ndarray]  # targets of shape (rows,), and what was judged of the answers


class Leak(Value):
    """How far a feature alone tells the answer, from 0 to 1, and by which measure."""

    told: float
    by: str
