"""Whether texts are what people write: several words each, of which most come again. Codes, names and addresses are not."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

FEWEST_TEXTS, FEW_SHARE, MANY_TEXTS = 20, 0.2, 200
FEWEST_WORDS = 3.0  # a text, on average
PLAIN = 0.5  # of what stands between spaces: words, and neither numbers, codes nor names
AGAIN = 0.5  # of the words: so many stand in another text too
LOOKED_AT = 5000
# Scripts without spaces, of which two signs stand for a word: Chinese, Japanese, Thai, Lao, Khmer, Burmese.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
PIECE = re.compile(rf"[{UNSPACED}]{{1,2}}|[^\s{UNSPACED}]+")
EDGES = ".,;:!?\"'()[]{}<>-\u2026\u201c\u201d\u2018\u2019"
NAMED = frozenset(
    [
        "name",
        "names",
        "surname",
        "firstname",
        "lastname",
        "fullname",
        "email",
        "mail",
        "address",
        "street",
        "city",
        "url",
        "link",
        "path",
        "file",
    ]
)
EMAIL = r"[\w.+-]+@[\w-]+\.\w"
TIMES = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?"  # a moment has many digits, and is nobody's number
DIGITS = r"\d(?:[ /-]?\d){8,}"  # a telephone, an account, a card


def is_prose(texts: Any) -> bool:
    """Whether a pandas series of texts, without gaps, is prose.

    A name or an address has several words that come again, too, but hardly one that begins with a small letter behind
    another word; a code has digits, or words that nobody else has.

    >>> import pandas as pd
    >>> is_prose(pd.Series([f"where is my {thing} of day {n}" for n in range(30) for thing in ("card", "key")]))
    True
    >>> is_prose(pd.Series([f"Mr. John {name}, {n} Main Street" for n in range(30) for name in ("Smith", "Wu")]))
    False
    """
    distinct = texts.nunique()
    if distinct < FEWEST_TEXTS or (distinct <= FEW_SHARE * len(texts) and distinct <= MANY_TEXTS):
        return False
    rows = [PIECE.findall(text) for text in texts.drop_duplicates().iloc[:LOOKED_AT]]
    pieces = sum(map(len, rows))
    words = [{piece.strip(EDGES).casefold() for at, piece in enumerate(row) if _is_word(piece, at)} for row in rows]
    plain = sum(_is_word(piece, at) for row in rows for at, piece in enumerate(row))
    if plain < FEWEST_WORDS * len(rows) or plain < PLAIN * pieces:
        return False
    counts = Counter(word for each in words for word in each)
    return sum(count for count in counts.values() if count > 1) >= AGAIN * sum(counts.values())


def _is_word(piece: str, at: int) -> bool:
    """Whether it is a word of prose: letters, small ones where it is not the first of its text, or capitals throughout."""
    word = piece.strip(EDGES).replace("'", "").replace("\u2019", "").replace("-", "")
    return word.isalpha() and (at == 0 or not word.istitle() or len(word) == 1)


def personal(texts: Any) -> str:
    """What a pandas series of texts, without gaps, holds that may say who a person is, or nothing.

    >>> import pandas as pd
    >>> personal(pd.Series(["call me at 0170 123 45 67", "where is it?"]))
    '1 of 2 texts looked at hold an e-mail address or a number of nine digits or more'
    >>> personal(pd.Series(["it was paid on 2026-01-31 12:00", "since 2026-02-01"]))
    ''
    """
    found = int(texts.str.replace(TIMES, " time ", regex=True).str.contains(f"{EMAIL}|{DIGITS}", regex=True).sum())
    return f"{found:,} of {len(texts):,} texts looked at hold an e-mail address or a number of nine digits or more" * bool(
        found
    )
