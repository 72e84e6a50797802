"""Train: a scikit-learn pipeline on the first rows of a snapshot."""

from __future__ import annotations

import io
from typing import Any

from prefect import get_run_logger

from configs.errors import InputError, nearest
from configs.schema import Features, Model, Target
from tasks.frames import contract_of, encode, labels, read_rows
from tasks.step import step
from tasks.values import FittedModel, Snapshot, put


@step
def train(snapshot: Snapshot, rows: int, contract: str, features: Features, target: Target, model: Model) -> FittedModel:
    """Fit on rows [0, rows) of the snapshot.

    Raises:
        InputError: the estimator does not know one of `model.parameters`.
    """
    import joblib

    pipeline = build_pipeline(features, model)
    frame = read_rows(snapshot, 0, rows)
    pipeline.fit(encode(contract_of(contract), frame)[features.all], labels(target, frame))
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer)
    fitted = FittedModel(digest=put("models", ".joblib", buffer.getvalue()), rows=rows)
    get_run_logger().info("Trained %s on %s rows", model.estimator, f"{rows:,}")
    return fitted


def build_pipeline(features: Features, model: Model) -> Any:
    """The unfitted pipeline: categories encoded, numbers as they are for trees, scaled and imputed for linear models.

    A scaler in front of a tree ensemble would move float32 values across split thresholds, so trees get none.
    """
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    try:
        if model.estimator == "hist_gradient_boosting":
            categories: Any = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)
            numbers: Any = "passthrough"
            parameters = {"early_stopping": False, **model.parameters, **_monotonic(features, model)}
            estimator: Any = HistGradientBoostingClassifier(random_state=model.seed, **parameters)
        else:
            categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
            numbers = make_pipeline(SimpleImputer(), StandardScaler())
            estimator = LogisticRegression(random_state=model.seed, **{"max_iter": 1000, **model.parameters})
    except TypeError as error:
        raise InputError(f"model.parameters: {model.estimator}: {error}") from None
    parts = [("categorical", categories, features.categorical), ("numeric", numbers, features.numeric)]
    return Pipeline([("encode", ColumnTransformer([p for p in parts if p[2]])), ("model", estimator)])


def _monotonic(features: Features, model: Model) -> dict[str, Any]:
    """`monotonic_cst` by column name, as a list in the order of the encoded columns, which have no names.

    >>> _monotonic(Features(categorical=["c"], numeric=["a"]), Model(parameters={"monotonic_cst": {"a": -1}}))
    {'monotonic_cst': [0, -1]}
    """
    named = model.parameters.get("monotonic_cst")
    if not isinstance(named, dict):
        return {}
    if stray := sorted(set(named) - set(features.numeric)):
        raise InputError(f"model.parameters: monotonic_cst: {stray[0]!r}: {nearest(stray[0], features.numeric)}")
    return {"monotonic_cst": [named.get(name, 0) for name in features.all]}
