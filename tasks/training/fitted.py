"""Fitted pipelines in this home's own store. Never part of a bundle: a pickle runs code when it is read."""

from __future__ import annotations

from typing import Any

from tasks.training.own import beside_use_cases
from tasks.training.values import FittedModel


def load(fitted: FittedModel) -> Any:
    """The fitted pipeline."""
    import joblib

    beside_use_cases()  # what an own pipeline is made of
    return joblib.load(fitted.path)
