"""Real rows in time order, and windows of them that have no drift because chance decided which weeks are the reference."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.columns.choose import KINDS
from tasks.columns.kind import ColumnKind

REFERENCE_ROWS = 50_000  # what a bundle keeps
BLOCK = np.timedelta64(7, "D")
NAMES = ("flights", "adult", "bank")


@dataclass(frozen=True)
class Rows:
    """A frame with column `time` (where rows have an order that matters), its features, and a 0/1 column `target`."""

    frame: Any
    numeric: list[str]
    categorical: list[str]
    timed: bool

    @property
    def features(self) -> list[str]:
        return [*self.categorical, *self.numeric]

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        return {name: KINDS["numeric" if name in self.numeric else "categorical"] for name in self.features}


def folder() -> Path:
    """Where the data of other people lies."""
    return Path(os.environ.get("SLIPWAY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


@functools.cache
def read(name: str) -> Rows:
    """Flights by their schedule; bank marketing in its own order, each fiftieth of it a week; adult has no order."""
    import pandas as pd

    if name == "flights":
        from configs.load import load_use_case
        from tasks.data.source import training_rows

        case = load_use_case("flights")
        frame = training_rows(case, None).to_pandas().rename(columns={"scheduled_at": "time", "late": "target"})
        return Rows(frame, case.features.numeric, case.features.categorical, True)
    frame = pd.read_csv(folder() / {"adult": "adult.csv", "bank": "bank_marketing.csv"}[name], skipinitialspace=True)
    target, positive = {"adult": ("income", ">50K"), "bank": ("subscribed", "yes")}[name]
    frame["target"] = (frame.pop(target) == positive).astype(int)
    frame = frame.drop(columns=[c for c in ("duration", "contact_id") if c in frame]).replace("?", None)
    if name == "bank":
        frame["time"] = np.datetime64("2008-05-01") + (np.arange(len(frame)) * 50 // len(frame)) * BLOCK
        frame["time"] += (np.arange(len(frame)) % (len(frame) // 50 + 1)) * np.timedelta64(600, "s")
    features = frame.drop(columns=["target", *(["time"] if name == "bank" else [])])
    numeric = [c for c in features if pd.api.types.is_numeric_dtype(features[c])]
    return Rows(frame, numeric, [c for c in features if c not in numeric], name == "bank")


def without_drift(
    rows: Rows, size: int, splits: int, windows: int, seed: int = 0, most: int = REFERENCE_ROWS
) -> Iterator[tuple[Any, list[Any]]]:
    """Pairs of a reference and windows of `size` consecutive rows: blocks of a week (or rows) are dealt into two halves.

    The reference has at most about `most` rows, in whole blocks.
    """
    generator = np.random.default_rng(seed)
    frame = rows.frame
    blocks = ((frame["time"] - frame["time"].iloc[0]) // BLOCK).to_numpy() if rows.timed else np.arange(len(frame))
    for _ in range(splits):
        dealt = generator.permutation(np.unique(blocks))
        ours = np.isin(blocks, dealt[: len(dealt) // 2])
        reference, rest = frame[ours], frame[~ours]
        rest = rest.iloc[_shuffled(blocks[~ours], generator)]
        reference = _at_most(reference, blocks[ours], generator, most)
        starts = generator.integers(0, len(rest) - size + 1, windows)
        yield reference.reset_index(drop=True), [rest.iloc[start : start + size].reset_index(drop=True) for start in starts]


def _shuffled(blocks: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Row numbers with the blocks in a random order, each as it was."""
    unique, inverse = np.unique(blocks, return_inverse=True)
    return np.argsort(generator.permutation(len(unique))[inverse], kind="stable")


def _at_most(reference: Any, blocks: np.ndarray, generator: np.random.Generator, most: int) -> Any:
    """Whole blocks, up to the rows that a bundle keeps."""
    if len(reference) <= most:
        return reference
    kept = generator.permutation(np.unique(blocks))
    sizes = np.cumsum([(blocks == block).sum() for block in kept])
    return reference[np.isin(blocks, kept[: max(1, int(np.searchsorted(sizes, most)))])]
