"""What tells the answer: columns that are known only after it, as a rule; a model would learn them instead of the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from configs.schema import Target
from serving.contract.kinds.ngrams import LONGEST
from tasks.onboarding.answers import Answer
from tasks.onboarding.features.choose import feature_of, may_be_feature
from tasks.onboarding.values import Column
from tasks.problems.leaks import LEAK
from tasks.problems.problem import problem_of

PURE, CHANCE = 0.995, 1e-6
FEWEST = 20
ADDED_ROWS, ADDED_COLUMNS = 2000, 60
NEAR = 0.005
SIGNS = 5_000_000  # of texts that are read; about ten seconds each time
FEWEST_ROWS = 1000


def without_leaks(
    columns: list[Column], sample: Any, target: Any, answer: Answer, say: Callable[[str], None]
) -> list[Column]:
    """The columns, those that leak the answer left out, with the reason; those that tell much of it noted.

    `sample` is a pandas frame of rows that have an answer, `target` their answers.
    """
    y = answer.matrix(target)
    parts = _added(columns, sample, y) if answer.adds_up else {}
    found = []
    for at, column in enumerate(columns):
        if may_be_feature(column):
            say(f"what leaks: {at + 1} of {len(columns)} columns, {column.name}")
            column = _looked_at(column, sample[column.name], y, answer, parts.get(column.name, ""))
        found.append(column)
    return found


def thinned(sample: Any, columns: list[Column]) -> Any:
    """So many rows of the sample, evenly spaced, that the texts in them are read in some seconds, whatever their length."""
    texts = [column.name for column in columns if may_be_feature(column) and feature_of(column).costly]
    signs = sum(float(sample[name].astype(str).str.len().clip(upper=LONGEST).sum()) for name in texts)
    rows = min(len(sample), max(FEWEST_ROWS, int(len(sample) * SIGNS / max(signs, 1.0))))
    return sample.iloc[np.unique(np.linspace(0, len(sample) - 1, rows).astype(int))].reset_index(drop=True)


def _looked_at(column: Column, values: Any, y: np.ndarray, answer: Answer, added: str) -> Column:
    score, its = alone(column, values, y, answer), feature_of(column)
    told = _told(column, score, answer) if its.leaks_alone and score >= answer.leak else ""
    leak = added or _filled_only(values, y) or told or its.sign(values, y, answer) or _refused(column, values, y, answer)
    if leak:
        before = f"{column.why_out}; " if column.why_out else ""
        return column.model_copy(update={"why_out": f"{before}leaks the answer: {leak}"})
    if score >= answer.strong and score > answer.dummy(y) + (1 - answer.dummy(y)) / 2:
        note = f"alone reaches {answer.metric} {score:.2f}: is it known when the question is asked?"
        return column.model_copy(update={"note": note})
    return column


def alone(column: Column, values: Any, y: np.ndarray, answer: Answer) -> float:
    """What the answer's metric is where only this column is known, cross-validated; 0 where it cannot be said."""
    score = answer.score(y, feature_of(column).alone(values, y))
    return 0.0 if np.isnan(score) else score


def _refused(column: Column, values: Any, y: np.ndarray, answer: Answer) -> str:
    """What validation would refuse, a little earlier, as it sees more rows: what is proposed can be released."""
    own, target = feature_of(column).encoded(values), y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0]
    mixed = np.random.default_rng(0).permutation(len(target))  # in time order every other row may be every other month
    leak = problem_of(Target(column="answer", problem=answer.problem)).leak(own[mixed], target[mixed])
    return f"it alone gives {leak.by} {leak.told:.3f}" if leak.told > LEAK - NEAR else ""


def _told(column: Column, score: float, answer: Answer) -> str:
    if column.distinct == len(answer.classes):
        return f"as good as a copy of the target ({answer.metric} {score:.3f} alone)"
    return f"it alone reaches {answer.metric} {score:.3f}"


def _filled_only(values: Any, y: np.ndarray) -> str:
    """Whether the rows that have a value, or those that have none, are all of one class where that is no chance."""
    if not np.isin(y, (0, 1)).all():
        return ""
    classes = np.hstack([y, 1 - y]) if y.shape[1] == 1 else y
    filled = values.notna().to_numpy()
    for told, rows in (("filled", filled), ("empty", ~filled)):
        if not FEWEST <= rows.sum() < len(rows):
            continue
        share, usual = classes[rows].mean(axis=0), classes.mean(axis=0)
        top = int(share.argmax())
        if share[top] >= PURE and usual[top] ** rows.sum() < CHANCE:
            return f"it is {told} only where the answer is one and the same"
    return ""


def _added(columns: list[Column], sample: Any, y: np.ndarray) -> dict[str, str]:
    """Columns of numbers of which two make the target, as a sum or a difference."""
    numbers = [each for each in columns if may_be_feature(each) and feature_of(each).adds_up][:ADDED_COLUMNS]
    rows = np.unique(np.linspace(0, len(y) - 1, ADDED_ROWS).astype(int))
    x = np.stack([feature_of(each).as_numbers(sample[each.name])[rows] for each in numbers], axis=1) if numbers else None
    found: dict[str, str] = {}
    for at, column in enumerate(numbers):
        for sign, sign_told in ((1, "and"), (-1, "less")):
            rest = sign * (y[rows] - x[:, [at]])  # type: ignore[index]
            both = np.isfinite(x).all(axis=1)  # type: ignore[arg-type]
            if both.sum() < FEWEST:
                return {}
            close = np.isclose(rest[both], x[both], rtol=1e-6, atol=1e-9).all(axis=0)  # type: ignore[index]
            for other in np.flatnonzero(close):
                names = (column.name, numbers[other].name)
                if names[0] != names[1] and not _is_nothing(x[both][:, [at, other]]):  # type: ignore[index]
                    text = f"{names[0]!r} {sign_told} {names[1]!r} make the target"
                    found |= {name: found.get(name, text) for name in names}
    return found


def _is_nothing(pair: np.ndarray) -> bool:
    """Whether one of two columns is zero throughout: the other alone is the target then."""
    return bool((pair == 0).all(axis=0).any())
