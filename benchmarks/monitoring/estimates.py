"""Estimates without labels, of two classes, of many and of numbers: false alarms, and how near they come, beside NannyML.

Rows are dealt into three parts by chance: a model learns from one, is held out on the next, and answers windows of the
third. Nothing drifts there, so what falls below the floor is a false alarm. Then windows are drawn by a feature, so that
the mix of rows differs and what the columns mean does not.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.monitoring.data import folder, read
from benchmarks.monitoring.peers import NANNYML
from tasks.monitoring.estimate import Estimator
from tasks.monitoring.measured import LEVEL, bound
from tasks.problems.binary import Binary
from tasks.problems.multiclass import Multiclass
from tasks.problems.problem import Problem
from tasks.problems.regression import Regression

RATE, SPLITS, WINDOWS = 0.05, 20, 20
TILT = 1.5  # how strongly windows prefer rows by a feature, in its standard deviations
# Runs in NannyML's own environment: one chunk a window, CBPE of classes and DLE of numbers with their defaults.
PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pandas as pd, nannyml as nml
folder, problem, metric, size, features = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), json.loads(sys.argv[5])
holdout, windows = (pd.read_parquet(f"{folder}/{name}.parquet") for name in ("holdout", "windows"))
common = {"y_pred": "predicted", "y_true": "target", "metrics": [metric], "chunk_size": size}
if problem == "regression":
    estimator = nml.DLE(feature_column_names=features, **common)
elif problem == "binary":
    estimator = nml.CBPE(y_pred_proba="p1", problem_type="classification_binary", **common)
else:
    proba = {int(name[1:]): name for name in holdout if name[0] == "p" and name != "predicted"}
    estimator = nml.CBPE(y_pred_proba=proba, problem_type="classification_multiclass", **common)
estimator.fit(holdout)
result = estimator.estimate(windows.drop(columns="target")).filter(period="analysis").to_df()[metric]
print(json.dumps([[float(value), bool(alert)] for value, alert in zip(result["value"], result["alert"])]))
"""


class Answers(NamedTuple):
    """Rows of a part: their features, what they turned out to be, and what the problem judges of the model's outputs."""

    features: Any
    target: np.ndarray
    judged: np.ndarray


@dataclass(frozen=True)
class Case:
    """A table of real rows with its problem; `answer` learns from rows and gives what answers others."""

    name: str
    problem: Problem
    metric: str
    size: int
    frame: Any
    by: np.ndarray  # what the windows with another mix of rows prefer, shape (rows,)
    answer: Callable[[Any, np.ndarray], Callable[[Any], np.ndarray]]


class Counted(NamedTuple):
    """Of one window: what the labels say, what was estimated, and whether that fell and whether its interval was right."""

    realised: float
    estimate: float
    inside: bool
    fell: bool
    usual: float
    theirs: float
    alerted: bool


def estimates(screen: Console) -> None:
    """False alarms of the estimate, how often its interval holds, and its error beside NannyML's and the holdout's value."""
    table = Table(title=f"Estimates without labels (stated: {RATE:.0%} of alarms, {LEVEL:.0%} inside)", title_justify="left")
    for column in (
        "data",
        "metric",
        "windows",
        "alarms",
        "NannyML",
        "inside",
        "off by",
        "NannyML",
        "holdout's value",
    ):
        table.add_column(column)
    for case in (adult(), bikes(), intents()):
        for mix, tilt in (("the same", 0.0), ("another mix", TILT)):
            found = list(_counted(case, tilt, f"{case.name}, {mix}", screen))
            off = [
                float(np.nanmean([abs(getattr(one, name) - one.realised) for one in found]))
                for name in ("estimate", "theirs", "usual")
            ]
            shares = [f"{np.mean([getattr(one, name) for one in found]):.1%}" for name in ("fell", "alerted", "inside")]
            line = [
                f"{case.name}, {mix}",
                case.metric,
                f"{len(found)} of {case.size:,}",
                *shares,
                *(f"{o:.4g}" for o in off),
            ]
            table.add_row(*line)
            screen.print(*line)
    screen.print(table)


def _counted(case: Case, tilt: float, told: str, screen: Console) -> Iterator[Counted]:
    metric = case.problem.metrics[case.metric]
    for split in track(range(SPLITS), told, console=screen):
        holdout, windows = _answered(case, tilt, np.random.default_rng(split))
        chances = case.problem.chances(holdout.target, holdout.judged)
        assert chances is not None
        rows = np.arange(len(holdout.target))
        pair = holdout.target, holdout.judged
        estimator = Estimator(case.problem, metric, chances, pair, rows, case.size, LEVEL)
        floor, usual = bound(metric.name, estimator.values, RATE, len(rows)), metric.value(*pair)
        for window, (theirs, alerted) in zip(windows, _nannyml(case, holdout, windows), strict=True):
            realised, said = metric.value(window.target, window.judged), estimator.estimate(window.judged)
            fell, inside = metric.gain(said.value, floor) < 0, said.lower <= realised <= said.upper
            yield Counted(realised, said.value, inside, fell, usual, theirs, alerted)


def _answered(case: Case, tilt: float, generator: np.random.Generator) -> tuple[Answers, list[Answers]]:
    """The holdout of a model, and windows of rows that it knows nothing of."""
    learn, held, rest = np.array_split(generator.permutation(len(case.frame)), 3)
    targets = case.frame["target"].to_numpy()
    answer = case.answer(case.frame.iloc[learn], targets[learn])

    def answers(rows: np.ndarray) -> Answers:
        part = case.frame.iloc[rows]
        return Answers(part.drop(columns="target"), targets[rows], answer(part))

    def drawn() -> np.ndarray:
        place = (case.by[rest] - case.by.mean()) / case.by.std()
        chance = np.exp(tilt * generator.choice([-1, 1]) * np.clip(place, -3, 3))
        return generator.choice(rest, case.size, replace=False, p=chance / chance.sum())

    return answers(held), [answers(drawn()) for _ in range(WINDOWS)]


def _nannyml(case: Case, holdout: Answers, windows: list[Answers]) -> list[tuple[float, bool]]:
    import pandas as pd

    if not NANNYML.exists():
        return [(float("nan"), False)] * len(windows)
    features = [name for name in holdout.features if pd.api.types.is_numeric_dtype(holdout.features[name])]

    def plain(part: Answers) -> Any:
        judged = part.judged.reshape(len(part.judged), -1)
        frame = part.features[features].reset_index(drop=True).assign(target=part.target)
        classes = np.column_stack([1 - judged, judged]) if case.problem.name == "binary" else judged
        predicted = judged[:, 0] if case.problem.name == "regression" else classes.argmax(axis=1)
        columns = pd.DataFrame(classes, columns=[f"p{place}" for place in range(classes.shape[1])])
        return pd.concat([frame.assign(predicted=predicted), columns], axis=1)

    with tempfile.TemporaryDirectory() as place:
        plain(holdout).to_parquet(f"{place}/holdout.parquet")
        pd.concat([plain(window) for window in windows], ignore_index=True).to_parquet(f"{place}/windows.parquet")
        words = [str(NANNYML), "-c", PROGRAM, place, case.problem.name, case.metric, str(case.size), json.dumps(features)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return [(value, alert) for value, alert in json.loads(done.stdout.splitlines()[-1])]


def adult() -> Case:
    """Who earns more than 50,000, by gradient boosting; windows prefer the young or the old."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OrdinalEncoder

    rows = read("adult")

    def inputs(frame: Any, encoder: Any) -> np.ndarray:
        codes = encoder.transform(frame[rows.categorical].astype("string").fillna(""))
        return np.hstack([frame[rows.numeric].to_numpy(dtype=float), codes])

    def answer(learn: Any, target: np.ndarray) -> Callable[[Any], np.ndarray]:
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        encoder.fit(learn[rows.categorical].astype("string").fillna(""))
        model = HistGradientBoostingClassifier(random_state=0).fit(inputs(learn, encoder), target)
        return lambda frame: model.predict_proba(inputs(frame, encoder))[:, 1]

    return Case("adult", Binary(), "roc_auc", 1000, rows.frame, rows.frame["age"].to_numpy(dtype=float), answer)


def bikes() -> Case:
    """How many bikes are rented in an hour, with intervals; windows prefer the cold or the warm."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import cross_val_predict

    from tasks.training.interval import CALIBRATED, LEAST, Within, conformal, expected_error

    frame = pd.read_csv(folder() / "bike_hour.csv").rename(columns={"cnt": "target"})
    frame = frame.drop(columns=["instant", "dteday", "casual", "registered"])

    def answer(learn: Any, target: np.ndarray) -> Callable[[Any], np.ndarray]:
        inputs, model = learn.drop(columns="target"), HistGradientBoostingRegressor(random_state=0)
        cut = round(len(learn) * (1 - CALIBRATED))
        before, latest = inputs[:cut], inputs[cut:]
        errors = np.abs(target[:cut] - cross_val_predict(model, before, target[:cut], cv=3))
        spread, least = HistGradientBoostingRegressor(random_state=0).fit(before, errors), LEAST * float(errors.mean())
        earlier = HistGradientBoostingRegressor(random_state=0).fit(before, target[:cut])
        scores = np.abs(target[cut:] - earlier.predict(latest)) / expected_error(spread, least, latest)
        within = Within(model.fit(inputs, target), spread, conformal(scores, 0.9), least)
        return lambda part: within.predict(part.drop(columns="target"))

    return Case("bikes", Regression(), "mae", 1000, frame, frame["temp"].to_numpy(), answer)


def intents() -> Case:
    """Which of 77 intents a question has, by a line over its words; windows prefer short or long questions."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame = pd.read_csv(folder() / "banking77.csv")
    frame = frame.assign(target=frame["intent"].astype("category").cat.codes.astype(int)).drop(columns=["intent", "split"])

    def answer(learn: Any, target: np.ndarray) -> Callable[[Any], np.ndarray]:
        model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10)).fit(learn["text"], target)
        return lambda part: model.predict_proba(part["text"])

    words = frame["text"].str.split().str.len().to_numpy(dtype=float)
    return Case("banking77", Multiclass(), "accuracy", 500, frame, words, answer)
