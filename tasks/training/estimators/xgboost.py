"""XGBoost: gradient boosting with a penalty on leaves. An extra."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from configs.errors import nearest
from tasks.problems.values import Learner
from tasks.training.estimators.extra import library, loaded, register
from tasks.training.estimators.family import Family, Kept
from tasks.training.estimators.sums import Sum, Tree, in_place, of_classes

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

LOGARITHMIC = ("count:poisson", "reg:gamma", "reg:tweedie")  # objectives that boost the logarithm of the number


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

    def adds(self, part: Any) -> Sum | None:
        """Trees that add to one output each, and where boosting began, which is kept as an answer."""
        learner = json.loads(part.get_booster().save_raw("json"))["learner"]
        objective, model = learner["objective"]["name"], learner["gradient_booster"]["model"]
        kept = np.array(json.loads(learner["learner_model_param"]["base_score"]), dtype=np.float64).ravel()
        begun = np.log(kept / (1 - kept)) if objective == "binary:logistic" else kept
        begun = np.log(kept) if objective in LOGARITHMIC else begun
        begun = np.resize(begun, max(model["tree_info"], default=0) + 1)  # one for all classes, or one each
        trees = [_tree(*each, len(begun)) for each in zip(model["trees"], model["tree_info"], strict=True)]
        if hasattr(part, "classes_"):
            return Sum(of_classes(len(begun)), begun, trees)
        return Sum("log_value" if objective in LOGARITHMIC else "value", begun, trees)

    def teach(self) -> None:
        """The converter of onnxmltools."""
        if loaded("xgboost"):
            from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

            register(self.classes(), convert_xgboost)


def _tree(tree: dict[str, Any], output: int, outputs: int) -> Tree:
    """XGBoost sends a number to the left that is less than a threshold: at most the float32 before it."""
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    return Tree(
        np.array(tree["left_children"]),
        np.array(tree["right_children"]),
        np.array(tree["split_indices"]),
        np.nextafter(conditions, np.float32(-np.inf)),
        np.array(tree["default_left"], dtype=bool),
        np.array(tree["sum_hessian"], dtype=np.float64),
        in_place(conditions.astype(np.float64), output, outputs),
    )
