"""Categorical columns of a CSV, in training and in batches: read as text, and then as serving reads a field.

pandas guesses a type for each column, and so `01234` became 1234, and one odd value changed what all others mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serving.contract.spelling import CSV_MISSING, csv_category

Known = Mapping[str, Sequence[str]]  # what is declared, or was learned, of each categorical column


def csv_options(known: Known) -> dict[str, Any]:
    """What `pandas.read_csv` is told: text, and where a category is spelled like a missing value, all of it."""
    odd = {name for name, values in known.items() if CSV_MISSING & set(values)}
    return {"dtype": {name: str for name in known if name not in odd}, "converters": dict.fromkeys(odd, str)}


def csv_categories(frame: Any, known: Known) -> Any:
    """The frame that was read so, with each category in its one spelling."""
    found = frame.copy()
    for name in known.keys() & set(frame.columns):
        texts = {text: csv_category(text, known[name]) for text in frame[name].dropna().unique()}
        found[name] = frame[name].map(texts).astype(object)
    return found
