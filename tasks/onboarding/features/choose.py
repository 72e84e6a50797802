"""Which kind a feature is of, in a first look: the one place where it is chosen."""

from __future__ import annotations

from tasks.onboarding.features.boolean import Boolean
from tasks.onboarding.features.categorical import Categorical
from tasks.onboarding.features.datetime import Datetime
from tasks.onboarding.features.kind import FeatureKind
from tasks.onboarding.features.numeric import Numeric
from tasks.onboarding.features.text import Text
from tasks.onboarding.values import Column

FEATURES: dict[str, FeatureKind] = {
    "categorical": Categorical(),
    "numeric": Numeric(),
    "text": Text(),
    "datetime": Datetime(),
    "boolean": Boolean(),
}


def may_be_feature(column: Column) -> bool:
    """Whether its kind is one of features, so that a person could have it in."""
    return column.kind in FEATURES


def feature_of(column: Column) -> FeatureKind:
    """What its kind does; the column is one that may be a feature."""
    return FEATURES[column.kind]
