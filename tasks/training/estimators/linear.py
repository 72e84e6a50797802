"""scikit-learn's linear models: a weight for each encoded column. The only ones that take texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.problems.values import Learner
from tasks.training.estimators.family import Family


class LogisticRegression(Family):
    """Classes."""

    linear = True
    usual: Mapping[str, Any] = {"max_iter": 1000}

    def classes(self) -> Mapping[Learner, Any]:
        """A classifier."""
        from sklearn.linear_model import LogisticRegression

        return {"classifier": LogisticRegression}


class Ridge(Family):
    """Numbers."""

    linear = True

    def classes(self) -> Mapping[Learner, Any]:
        """A regressor, also of the relevance of a ranking's rows."""
        from sklearn.linear_model import Ridge

        return {"regressor": Ridge, "ranker": Ridge}
