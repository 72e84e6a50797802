"""Texts: hashed n-grams, weighed by how rare they are; only linear models take so many columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from configs.errors import InputError
from serving.contract.kinds.ngrams import WIDTH, places, words
from serving.contract.kinds.strings import MISSING
from tasks.columns.bins import Bins, bins_of_categories
from tasks.columns.strings import Strings
from tasks.columns.values import Sign

GISTS = 40  # words by which texts are told apart when a window is compared
COMMON = 0.2  # of the texts: a word in more of them tells nothing
NO_GIST = " "  # which is no word


class Text(Strings):
    """Columns of texts."""

    shown_as: Literal["numbers", "categories"] = "numbers"

    def observed(self, present: np.ndarray) -> dict[str, Any]:
        """Nothing: texts are people's, and a contract travels."""
        return {}

    def transformer(self, linear: bool) -> Any:
        """The weights of tf-idf; Salton & Buckley, "Term-weighting approaches in automatic text retrieval" (1988)."""
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        return make_pipeline(FunctionTransformer(sparse), TfidfTransformer())

    def inside(self, fitted: Any) -> Any:
        """The weights alone.

        Raises:
            InputError: it is none that `transformer` made; the graph gets counted words, and no texts.
        """
        steps = [type(step).__name__ for _, step in getattr(fitted, "steps", [])]
        if steps != ["FunctionTransformer", "TfidfTransformer"] or fitted.steps[0][1].func is not sparse:
            raise InputError(
                "features.text: texts are read by the encoder that the function is given, given.encoder(linear=True)"
            )
        return fitted.steps[1][1]

    def encoded(self, fitted: Any, place: int, linear: bool) -> dict[str, Any]:
        """Rare words count more."""
        rarity = fitted[-1].idf_[place * WIDTH : (place + 1) * WIDTH]
        return {"how": "words", "scale": (1 / rarity).tolist()}

    def bins(self, values: Any) -> Bins:
        """By the word that tells most of a text, and by its length."""
        return bins_of_texts(values)

    def fault(self, window: Any, reference: Any) -> Sign | None:
        """None that only texts have."""
        return None

    def put_back(self, window: Any, reference: Any, generator: np.random.Generator) -> np.ndarray:
        """Texts of the reference, drawn by chance: which one a row would have had, nobody can say."""
        old = reference.to_numpy(dtype=object)
        return old[generator.integers(0, len(old), len(window))]

    def shown(self, values: Any) -> Any:
        """How many words they have."""
        return values.astype("string").fillna("").map(lambda text: len(words(text))).astype("float64")


def sparse(texts: Any) -> Any:
    """Columns of texts as a SciPy matrix of shape (rows, columns * WIDTH): what the graph gets, without its zeros."""
    from scipy.sparse import csr_matrix

    columns = np.asarray(texts, dtype=object)
    data: list[float] = []
    at: list[int] = []
    ends = [0]
    for row in columns:
        for number, text in enumerate(row):
            found = places(text)
            at += [number * WIDTH + place for place in found]
            data += found.values()
        ends.append(len(at))
    return csr_matrix((np.array(data, dtype=np.float32), at, ends), shape=(len(columns), columns.shape[1] * WIDTH))


@dataclass(frozen=True)
class TextBins(Bins):
    """Texts are counted by their gist: the rarest of their frequent words, and whether they are longer than most.

    Words that many texts of the reference have are as frequent in it as beyond it; which of them come together with rare
    ones the reference knows too well of itself, and every window would differ.
    """

    rank: tuple[tuple[str, int], ...] = ()
    middle: float = 0.0

    def codes(self, values: Any) -> np.ndarray:
        """The bin of every text of a pandas series, shape (rows,)."""
        return super().codes(_gists(values, dict(self.rank), self.middle))


def bins_of_texts(values: Any) -> TextBins:
    """Bins of a reference column of texts, a pandas series.

    >>> import pandas as pd
    >>> reference = pd.Series(["my card", "my card", "a top up", "the fee", *"bcdefg"] * 9, name="q")
    >>> bins = bins_of_texts(reference)
    >>> bool((bins.codes(reference) < bins.size - 2).all()), bins.codes(pd.Series([None])).tolist() == [bins.size - 1]
    (True, True)
    """
    texts = values.astype("string").fillna("")
    present = [words(text) for text in texts if text]
    counts = Counter(word for each in present for word in set(each))
    telling = [word for word, count in counts.items() if count <= COMMON * len(present)]
    frequent = sorted(telling, key=lambda word: (-counts[word], word))[:GISTS]
    rank = {word: place for place, word in enumerate(frequent)}
    middle = float(np.median([len(each) for each in present])) if present else 0.0
    plain = bins_of_categories(_gists(values, rank, middle), 2 * GISTS + 2)
    return TextBins(str(values.name), None, plain.categories, plain.rest, tuple(rank.items()), middle)


def _gists(values: Any, rank: dict[str, int], middle: float) -> Any:
    return values.astype("string").fillna("").map(lambda text: _gist(text, rank, middle)).astype("string")


def _gist(text: str, rank: dict[str, int], middle: float) -> str:
    if not text:
        return MISSING
    found = words(text)
    word = max((word for word in found if word in rank), key=lambda word: rank[word], default=NO_GIST)
    return f"{'long' if len(found) > middle else 'short'} {word}"
