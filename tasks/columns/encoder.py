"""The encoder in front of an estimator: each kind of column as trees or as linear models take it."""

from __future__ import annotations

from typing import Any

from configs.schema import Features
from serving.reasons.encoding import Encoded
from tasks.columns.choose import KINDS


def encoder(features: Features, linear: bool) -> Any:
    """scikit-learn's ColumnTransformer, unfitted."""
    from sklearn.compose import ColumnTransformer

    kinds, parts = list(features.kinds.values()), []
    for kind in dict.fromkeys(kinds):
        places = [place for place, each in enumerate(kinds) if each == kind]  # not names: the graph has its own
        parts.append((kind, KINDS[kind].transformer(linear), places))
    return ColumnTransformer(parts)


def encoded(fitted: Any, features: Features, linear: bool) -> list[Encoded]:
    """What the fitted one does to each column, in the order of the numbers that come out of it."""
    names, found = list(features.kinds), []
    for kind, transformer, places in fitted.transformers_:
        for nth, place in enumerate(places):
            found.append(Encoded(names[place], **KINDS[kind].encoded(transformer, nth, linear)))
    return found
