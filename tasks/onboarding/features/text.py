"""Texts, in a first look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from configs.schema import ColumnRule
from serving.contract.kinds.ngrams import words
from tasks.columns.choose import KINDS
from tasks.columns.text import sparse
from tasks.onboarding.answers import Answer
from tasks.onboarding.features.kind import FOLDS
from tasks.onboarding.features.strings import Strings
from tasks.onboarding.prose import personal

FEWEST = 20  # texts that have a word by which it is told apart
CLOSE = 0.01  # of least squares: what one column alone tells is a rough number


class Text(Strings):
    """Columns of texts. One that tells the answer is no leak for that: it may be asked just so."""

    contracted = "text"
    anybody = True
    costly = True
    leaks_alone = False

    def as_graph(self, values: Any) -> Any:
        """Hashed n-grams."""
        return sparse(self.encoded(values).reshape(-1, 1))

    def alone(self, values: Any, y: np.ndarray) -> np.ndarray:
        """By least squares on the weights of tf-idf."""
        from sklearn.linear_model import Ridge
        from sklearn.model_selection import KFold

        x, predicted, kind = self.as_graph(values), np.empty_like(y), KINDS["text"]
        for learn, judge in KFold(FOLDS, shuffle=True, random_state=0).split(x):
            weigh = kind.inside(kind.transformer(linear=True)).fit(x[learn])
            model = Ridge(solver="sparse_cg", tol=CLOSE).fit(weigh.transform(x[learn]), y[learn])
            predicted[judge] = model.predict(weigh.transform(x[judge])).reshape(len(judge), -1)
        return predicted

    def sign(self, values: Any, y: np.ndarray, answer: Answer) -> str:
        """A single word, of several classes one each, by which the answer is told: nobody asks so, but a record ends so.

        The word of a class is the one whose presence goes with it most.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        texts = self.encoded(values)
        counter = CountVectorizer(analyzer=words, binary=True, dtype=np.float64)
        has = counter.fit_transform([*texts, "a word"])[:-1]  # so that there is one, whatever the texts are
        has = has[:, frequent] if (frequent := np.flatnonzero(np.asarray(has.sum(axis=0)).ravel() >= FEWEST)).size else None
        if has is None:
            return ""
        share = np.asarray(has.mean(axis=0)).ravel()
        goes_with = (has.T @ (y - y.mean(axis=0))) / len(y) / np.sqrt(np.maximum(share * (1 - share), 1e-12))[:, None]
        best = np.abs(goes_with).argmax(axis=0)
        told = has[:, best].toarray() * np.sign(goes_with[best, np.arange(y.shape[1])])
        score = answer.score(y, told * y.std(axis=0) + y.mean(axis=0))
        if np.isnan(score) or score < answer.leak:
            return ""
        names = counter.get_feature_names_out()[frequent[best]]
        some = ", ".join(map(repr, dict.fromkeys(names[:3].tolist())))
        return f"whether it has the word {some} reaches {answer.metric} {score:.3f}"

    def personal(self, values: Any) -> str:
        """E-mail addresses and long numbers."""
        return personal(values.dropna().astype(str))

    def wrong(self, name: str, rule: ColumnRule, values: Any) -> Iterator[str]:
        """Nothing: the schema lets no rule in that a text could break."""
        yield from ()
