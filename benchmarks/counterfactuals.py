"""What would have to change, beside DiCE: on `loans` and the adults, the same denied rows and the same ONNX model.

`OMP_NUM_THREADS=1 python -m benchmarks.counterfactuals [ROWS [METHOD...]]`: each of ROWS (100) denied rows in which nothing
is missing is asked for three ways, with the columns that the use case lets change, and with any that is not protected.
DiCE is given the same columns and, for each row, the same ranges and directions. A way is valid where the model answers the
changed row as wanted, all of it is as declared (steps apart, which DiCE does not have), and no more columns change than may
(which DiCE is not told). Distances are ours: median absolute deviations, 1 for a category. Of each row the valid way counts
that is least in distance and columns together; in brackets Slipway's of the same rows.

DiCE runs where `.bench/dice` is an environment with `dice-ml`; else it is left out, and the table says so.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import yaml
from prefect.logging import disable_run_logger

from benchmarks.fairness import ADULTS, FOLDER
from configs.load import load_use_case
from configs.schema import UseCase
from configs.settings import PROJECT
from serving.contract.contract import Contract
from serving.scoring.onnx import Scorer
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import client_values, contract_of, encode_columns, read_rows
from tasks.data.ingest import ingest
from tasks.data.split import split
from tasks.explaining.aim import Aim, aim_of
from tasks.explaining.counterfactuals import Asked
from tasks.explaining.observed import Observed
from tasks.packaging.convert import to_onnx
from tasks.training.fit import fit

DICE = PROJECT / ".bench" / "dice" / "lib" / "python3.11" / "site-packages"
METHODS, SHOWN, EDGE = ("random", "genetic"), 3, 1e-4
BLOCK = """
counterfactuals:
  fixed: [age, education, education_num, marital_status, relationship]
  columns:
    hours_per_week: {step: 1, minimum: 1, maximum: 60}
    capital_gain: {only: up}
    capital_loss: {only: down}
"""
Changes = dict[str, Any]  # of a row, the columns that are otherwise
Explain = Callable[[Changes], list[Changes]]


class Setting(NamedTuple):
    """A model, what it may be asked, and denied rows as records and as a frame."""

    case: UseCase
    contract: Contract
    scorer: Scorer
    aim: Aim
    asked: Asked
    observed: Observed
    frame: Any
    denied: list[int]

    def record(self, row: int) -> Changes:
        """As a client sends it."""
        return {name: client_values(self.frame[name].iloc[row : row + 1])[0] for name in self.contract.names}

    def answered(self, record: Changes, changes: Changes) -> bool:
        """Whether the changed row is answered as wanted."""
        return bool(self.aim.reached(self.scorer.outputs(self.contract.encode([{**record, **changes}])))[0])

    def declared(self, record: Changes, changes: Changes) -> bool:
        """Whether it changes no more columns than may, and each as it may."""
        within = all(self._declared(name, record[name], value) for name, value in changes.items())
        return 0 < len(changes) <= self.asked.rules.most and within

    def _declared(self, name: str, was: Any, value: Any) -> bool:
        if name not in self.asked.moves:
            return False
        if isinstance(value, str):
            return value in self.asked.moves[name].values(was)
        low, high = self.reach(name, was)
        return low - EDGE <= value <= high + EDGE

    def reach(self, name: str, was: Any) -> tuple[float, float]:
        """From where to where a number may go: the ends of what we may change it to."""
        values = [was, *self.asked.moves[name].values(was)]
        return min(values), max(values)

    def cost(self, record: Changes, changes: Changes) -> tuple[float, int]:
        """Distance and columns."""
        return sum(self.asked.moves[name].distance(record[name], value) for name, value in changes.items()), len(changes)


def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    rows = int(sys.argv[1]) if sys.argv[1:] else 100
    print(f"Load at the start {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n")
    heads = (
        "rows of",
        "columns",
        "by",
        "found",
        "told",
        "answered so",
        "valid",
        "columns changed",
        "distance",
        "near",
        "s a row",
    )
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    with tempfile.TemporaryDirectory() as home, disable_run_logger(), patch.dict("os.environ", SLIPWAY_HOME=home):
        for what, setting in settings(rows):
            found = {"Slipway": told(setting, ours(setting))}
            for method in (sys.argv[2:] or METHODS) if DICE.is_dir() else ():
                found[f"DiCE, {method}"] = told(setting, dice(setting, method))
            for by, result in found.items():
                cells = (f"{setting.case.name}, {len(setting.denied)}", what, by, *line(setting, result, found["Slipway"]))
                print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nLoad at the end {os.getloadavg()[0]:.1f}")
    if not DICE.is_dir():
        print(f"DiCE is left out: {DICE} is not there")


def settings(rows: int) -> Iterator[tuple[str, Setting]]:
    """Each use case as it declares, and with every column that is not protected."""
    cases = [load_use_case("loans").model_copy(update={"replay": None})]
    if (adults := FOLDER / "adult.csv").exists():
        cases.append(UseCase.model_validate(yaml.safe_load(ADULTS.format(path=adults) + BLOCK)))
    for case in cases:
        assert case.counterfactuals is not None
        every = case.counterfactuals.model_copy(update={"fixed": [], "columns": {}})
        snapshot = ingest.fn(case, None)
        contract, parts = derive_contract.fn(case, snapshot), split.fn(case, snapshot)
        columns, (pipeline, _) = contract_of(contract), fit(snapshot, parts.cut, contract, case.recipe)
        scorer, frame = Scorer(to_onnx(pipeline, columns, case.features), columns), read_rows(snapshot, 0, snapshot.rows)
        aim, observed = aim_of(case, columns), Observed(columns, frame)
        denied = ~aim.reached(scorer.outputs(encode_columns(columns, frame))) & frame[list(columns.names)].notna().all(
            axis=1
        )
        which = np.flatnonzero(denied)
        chosen = which[np.unique(np.linspace(0, len(which) - 1, rows).astype(int))].tolist()
        for what, rules in (("as declared", case.counterfactuals), ("any", every)):
            told_so = case.model_copy(update={"counterfactuals": rules})
            asked = Asked(told_so, columns, scorer, observed)
            yield what, Setting(told_so, columns, scorer, aim, asked, observed, frame, chosen)


class Told(NamedTuple):
    """What was told: the best valid way by row, how many ways, those that are answered as wanted, those that are valid."""

    best: dict[int, Changes]
    ways: int
    answered: int
    valid: int
    seconds: list[float]


def told(setting: Setting, explain: Explain) -> Told:
    """Ask for every row."""
    best: dict[int, Changes] = {}
    ways = answered = valid = 0
    seconds = []
    for row in setting.denied:
        record = setting.record(row)
        began = time.perf_counter()
        found = explain(record)
        seconds.append(time.perf_counter() - began)
        there = [each for each in found if setting.answered(record, each)]
        fitting = [each for each in there if setting.declared(record, each)]
        ways, answered, valid = ways + len(found), answered + len(there), valid + len(fitting)
        if fitting:
            best[row] = min(fitting, key=lambda each: sum(setting.cost(record, each)))
    return Told(best, ways, answered, valid, seconds)


def line(setting: Setting, result: Told, own: Told) -> list[str]:
    """The numbers."""
    cells = [f"{len(result.best)}", f"{result.ways}"]
    cells += [f"{count / result.ways:.0%}" if result.ways else "" for count in (result.answered, result.valid)]
    measured = _measured(setting, result.best)
    beside = _measured(setting, {row: way for row, way in own.best.items() if row in result.best})
    cells += [mine if result is own or not mine else f"{mine} ({its})" for mine, its in zip(measured, beside, strict=True)]
    return [*cells, f"{np.median(result.seconds):.3f}"]


def _measured(setting: Setting, ways: dict[int, Changes]) -> list[str]:
    """The mean number of columns, the median distance, and the share that is near the data; nothing of none."""
    if not ways:
        return ["", "", ""]
    distances, columns = zip(*(setting.cost(setting.record(row), way) for row, way in ways.items()), strict=True)
    changed = setting.contract.encode([{**setting.record(row), **way} for row, way in ways.items()])
    near = setting.observed.nearest(changed) <= setting.observed.usual
    return [f"{np.mean(columns):.2f}", f"{np.median(distances):.2f}", f"{near.mean():.0%}"]


def ours(setting: Setting) -> Explain:
    """By what `slipway audit why --change` runs."""
    return lambda record: [{each.column: each.value for each in way.changes} for way in setting.asked.what_if(record).ways]


class Wrapped:
    """The ONNX model as DiCE asks it: by frames."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def predict_proba(self, frame: Any) -> np.ndarray:
        """The probability of another answer, and of the wanted one."""
        contract = self._setting.contract
        columns = {column.name: frame[column.name] for column in contract.columns}
        table = {
            column.name: columns[column.name].astype(str).to_numpy(dtype=object)
            if column.dtype == "string"
            else columns[column.name].to_numpy(dtype=np.float64)
            for column in contract.columns
        }
        shares = self._setting.scorer.outputs(contract.encode_columns(table))
        wanted = np.array([self._setting.aim.holds(each) for each in contract.classes])
        return np.column_stack([shares[:, ~wanted].sum(axis=1), shares[:, wanted].sum(axis=1)])

    def predict(self, frame: Any) -> np.ndarray:
        """0 or 1."""
        return self.predict_proba(frame).argmax(axis=1)


def dice(setting: Setting, method: str) -> Explain:
    """DiCE's defaults, but for the ranges, the columns, and the seed."""
    import pandas as pd

    if str(DICE) not in sys.path:
        sys.path.append(str(DICE))
    import dice_ml
    from raiutils.exceptions import UserConfigValidationException

    contract, moves = setting.contract, setting.asked.moves
    numbers = [column.name for column in contract.columns if column.dtype == "float32"]
    rows = setting.frame[list(contract.names)].dropna()
    kinds = {name: float if name in numbers else str for name in contract.names}
    rows = rows.astype(kinds).assign(wanted=0)
    wrapped = Wrapped(setting)
    rows["wanted"] = wrapped.predict(rows)
    data = dice_ml.Data(dataframe=rows, continuous_features=numbers, outcome_name="wanted")
    explainer = dice_ml.Dice(data, dice_ml.Model(model=wrapped, backend="sklearn"), method=method)
    seeded = {"random_seed": 0} if method == "random" else {}

    def explain(record: Changes) -> list[Changes]:
        query = pd.DataFrame([record]).astype(kinds)
        ranges: dict[str, list[Any]] = {}
        for name, move in moves.items():
            values = move.values(record[name])
            if values:
                ranges[name] = list(setting.reach(name, record[name])) if name in numbers else [record[name], *values]
        np.random.seed(0)
        try:
            with redirect_stdout(sys.stderr):  # there it tells what it does not find
                found = explainer.generate_counterfactuals(
                    query,
                    total_CFs=SHOWN,
                    desired_class=1,
                    features_to_vary=list(ranges),
                    permitted_range=ranges,
                    verbose=False,
                    **seeded,
                )
        except UserConfigValidationException as error:
            if "No counterfactuals found" not in str(error):
                raise
            return []
        frame = found.cf_examples_list[0].final_cfs_df
        return [] if frame is None else [_changes(record, each, numbers) for each in frame.to_dict("records")]

    return explain


def _changes(record: Changes, found: Changes, numbers: list[str]) -> Changes:
    """What is otherwise."""
    for name in record:
        value, was = found[name], record[name]
        found[name] = float(value) if name in numbers else str(value)
        if found[name] == was or (name in numbers and abs(found[name] - float(was)) < EDGE):
            del found[name]
    return {name: found[name] for name in record if name in found}


if __name__ == "__main__":
    main()
