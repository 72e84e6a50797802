"""XGBoost: gradient boosting with a penalty on leaves. An extra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs.errors import nearest
from tasks.problems.values import Learner
from tasks.training.estimators.extra import library, loaded, register
from tasks.training.estimators.family import Family, Kept

KEPT = {
    "booster": Kept((None, "gbtree"), "the weights of 'dart' and 'gblinear' get lost in ONNX; take 'gbtree', or ridge"),
    "early_stopping_rounds": Kept((None,), "no rows are held back to stop by; search n_estimators in training.search"),
    "enable_categorical": Kept((None, False), "categories are numbers in front of the trees; leave it out"),
    "feature_types": Kept((None,), "every column is a number in front of the trees; leave it out"),
    "missing": Kept((None,), "to ONNX only NaN is missing"),
    "multi_strategy": Kept((None, "one_output_per_tree"), "a leaf of an ONNX tree of classes is one number"),
    "num_parallel_tree": Kept((None, 1), "of several trees a round ONNX loses the class; take random_forest"),
}
OBJECTIVES: dict[Learner, tuple[str | None, ...]] = {
    "classifier": (None, "binary:logistic", "multi:softprob"),
    "regressor": (
        *(None, "reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror"),
        *("count:poisson", "reg:gamma", "reg:tweedie"),
    ),
    "ranker": (None, "rank:ndcg", "rank:pairwise"),
}


class XGBoost(Family):
    """It compares float32s with float32s, as ONNX does: no threshold is to be rounded."""

    monotone = "monotone_constraints"

    def classes(self) -> Mapping[Learner, Any]:
        """All; a ranker learns the order of the rows of each query (LambdaMART)."""
        xgboost = library("xgboost")
        return {"classifier": xgboost.XGBClassifier, "regressor": xgboost.XGBRegressor, "ranker": xgboost.XGBRanker}

    def declined(self, learner: Learner, parameters: Mapping[str, Any]) -> str:
        """Also a name that XGBoost itself would pass over with a warning."""
        known = sorted(self.classes()[learner]().get_params())
        if stray := [name for name in parameters if name not in known]:
            return f"{stray[0]!r}: {nearest(stray[0], known)}"
        fitting = OBJECTIVES[learner]
        kept = {**KEPT, "objective": Kept(fitting, f"what converts: {', '.join(filter(None, fitting))}")}
        return self.unfit(parameters, kept)

    def refusals(self) -> tuple[type[Exception], ...]:
        """Its own error."""
        return (library("xgboost").core.XGBoostError, TypeError)

    def teach(self) -> None:
        """The converter of onnxmltools."""
        if loaded("xgboost"):
            from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

            register(self.classes(), convert_xgboost)
