"""How a value that is no text reads as a category: one spelling, whatever table, protocol or datatype it came in.

A number takes its shortest decimal, that of its own type (0.1 of 32 bits is `0.1`, not `0.10000000149011612`), and without a
point where it is whole, because a column of whole numbers turns to floats as soon as one is missing. The table of all
meanings is in docs/serving.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import numpy as np

# Meanings of a contract from which on numbers and booleans have one spelling, and a CSV's category keeps its text.
SPELLED, AS_TEXT = 2, 3
# What pandas, and so MLflow and training, reads from a CSV as missing.
# fmt: off
CSV_MISSING = frozenset((
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null",
))
# fmt: on
CSV_BOOLEANS = frozenset(("true", "True", "TRUE", "false", "False", "FALSE"))
PLAIN_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def spelled(value: Any) -> str:
    """A finite number or a boolean as a category.

    >>> [spelled(each) for each in (3, 3.0, 2.5, np.float32(0.1), 2**60 + 1, True, np.False_)]
    ['3', '3', '2.5', '0.1', '1152921504606846977', 'true', 'false']
    """
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    number = value if value.__class__ is float else float(str(value))
    return str(int(number)) if number.is_integer() else str(number)


def spelled_before(value: Any) -> str:
    """The same in contracts made before booleans and 32 bits had a spelling: their models learned these categories."""
    return str(int(value)) if float(value).is_integer() else str(value)


def doubles(values: np.ndarray) -> list[float]:
    """An array of numbers as JSON has them; those of fewer than 64 bits by their shortest decimal.

    >>> doubles(np.array([0.1, 3], dtype=np.float32))
    [0.1, 3.0]
    """
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        values = values.astype("U")
    found: list[float] = values.astype(np.float64).tolist()
    return found


def csv_category(text: str, known: Collection[str] = ()) -> str | None:
    """The same in contracts made before a category kept its text. What is declared or was learned counts first.

    Else a plain decimal is that number, `true` and `false` are booleans however they are written, and what pandas takes for
    missing is; all other fields, with leading zeros or exponents too, are text.

    >>> [csv_category(each) for each in ("3.0", "2.50", "-0", "01234", "1e3", "True", "NA", "", "a b")]
    ['3', '2.5', '0', '01234', '1e3', 'true', None, None, 'a b']
    >>> csv_category("NA", ("EU", "NA")), csv_category("1.10", ("1.1", "1.10"))
    ('NA', '1.10')
    """
    if text in known and text:
        return text
    if text in CSV_MISSING:
        return None
    if text in CSV_BOOLEANS:
        return text.lower()
    if not PLAIN_DECIMAL.fullmatch(text):
        return text
    number = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if number == "-0" else number


def csv_text(text: str, known: Collection[str] = (), missing: Collection[str] = ()) -> str | None:
    """A field of a CSV as a category: its text as it stands. Only a blank is missing, and the tokens that are named so.

    Booleans are the exception, since each program writes them in its own capitals; what is declared or was learned counts
    first.

    >>> [csv_text(each) for each in ("3.0", "01234", "1e2", "NA", "None", " padded ", "True", "")]
    ['3.0', '01234', '1e2', 'NA', 'None', ' padded ', 'true', None]
    >>> csv_text("?", missing=("?",)), csv_text("TRUE", known=("TRUE", "x"))
    (None, 'TRUE')
    """
    if not text or text in missing:
        return None
    return text.lower() if text in CSV_BOOLEANS and text not in known else text


def csv_moment(text: str, missing: Collection[str] = ()) -> str | None:
    """A field of a CSV as a moment, as it stands; what pandas takes for missing is, as among numbers.

    >>> csv_moment("2026-03-01"), csv_moment("NA"), csv_moment("?", missing=("?",))
    ('2026-03-01', None, None)
    """
    return None if text in CSV_MISSING or text in missing else text


def csv_number(text: str) -> float | None:
    """A field of a CSV as a number.

    Raises:
        ValueError: it is none.
    """
    if "_" in text:  # Python would take it
        raise ValueError(text)
    return None if text in CSV_MISSING else float(text)
