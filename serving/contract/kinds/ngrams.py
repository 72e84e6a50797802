"""A text as numbers: its words, pairs of words and pieces of words, hashed into a fixed number of places.

Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009). Nothing is learned here, so nothing
has to travel and no word of a sensitive text is kept; how much each place tells, the model learns. Training and serving run
this code.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from zlib import crc32

import numpy as np

WIDTH = 4096  # places
LONGEST = 4000  # characters that are read; the rest of a text says nothing, whoever sends it
SHORTEST_PIECE, LONGEST_PIECE = 3, 4
MARKS = re.compile("[\u0300-\u036f'\u2019]")  # accents, and the apostrophe of "can't"
# A symbol is a word of its own (an emoji); others go from one space or punctuation mark to the next, in any script.
SYMBOLS = "\u2190-\u2bff\U0001f000-\U0001faff"
BETWEEN = r"\s!-/:-@\[-`{-\u00bf\u2000-\u218f\u3000-\u303f\ufe00-\ufe0f"
WORD = re.compile(f"[{SYMBOLS}]|[^{BETWEEN}{SYMBOLS}]+")


def words(text: str) -> list[str]:
    """The words of a text, without case and accents.

    >>> words("Où est ma CARTE? I can't wait 😀😀"), words("."), words("")
    (['ou', 'est', 'ma', 'carte', 'i', 'cant', 'wait', '😀', '😀'], [], [])
    """
    return WORD.findall(MARKS.sub("", unicodedata.normalize("NFKD", text[:LONGEST]).casefold()))


def places(text: str) -> dict[int, float]:
    """The places of a text that are not 0: 1 + log of how often what is hashed there comes.

    >>> places(""), places("Card, card!") == places("card card"), len(places("card"))
    ({}, True, 8)
    """
    found = words(text)
    grams = [*found, *map(" ".join, pairwise(found))]
    for word in found:
        padded = f"\0{word}\0"  # a piece is no word, and knows where a word begins and ends
        for size in range(SHORTEST_PIECE, LONGEST_PIECE + 1):
            grams += ["\1" + padded[at : at + size] for at in range(len(padded) - size + 1)]
    counts = Counter([crc32(gram.encode("utf-8", "surrogatepass")) % WIDTH for gram in grams])
    return {place: 1.0 + math.log(count) for place, count in counts.items()}


def hashed(texts: np.ndarray) -> np.ndarray:
    """Texts of shape (rows, 1) as the graph takes them, shape (rows, WIDTH), float32."""
    found = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in zip(found, texts.ravel().tolist(), strict=True):
        values = places(text)
        row[list(values)] = list(values.values())
    return found
