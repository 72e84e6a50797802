"""scikit-learn's linear models: a weight for each encoded column. The only ones that take texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.problems.values import Learner
from tasks.training.estimators.family import Family
from tasks.training.estimators.sums import Sum, of_classes


class LogisticRegression(Family):
    """Classes."""

    linear = True
    usual: Mapping[str, Any] = {"max_iter": 1000}

    def classes(self) -> Mapping[Learner, Any]:
        """A classifier."""
        from sklearn.linear_model import LogisticRegression

        return {"classifier": LogisticRegression}

    def adds(self, part: Any) -> Sum | None:
        """Weights, of two classes the second's."""
        return Sum(of_classes(len(part.coef_)), np.ravel(part.intercept_), [], part.coef_.T)


class Ridge(Family):
    """Numbers."""

    linear = True

    def classes(self) -> Mapping[Learner, Any]:
        """A regressor, also of the relevance of a ranking's rows."""
        from sklearn.linear_model import Ridge

        return {"regressor": Ridge, "ranker": Ridge}

    def adds(self, part: Any) -> Sum | None:
        """Weights."""
        return Sum("value", np.ravel(part.intercept_), [], np.reshape(part.coef_, (-1, 1)))
