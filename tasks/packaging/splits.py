"""The splits of the trees in a graph, and what a row must hold to come to each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

TREES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")  # of ai.onnx.ml 3
LOWEST, HIGHEST = np.float32(-np.inf), np.float32(np.inf)


class Room(NamedTuple):
    """The values of a tree's input that lead somewhere: float32s in [low, high], and, where `missing`, NaN."""

    low: np.float32 = LOWEST
    high: np.float32 = HIGHEST
    missing: bool = True

    def within(self, low: np.float32, high: np.float32, missing: bool) -> Room:
        """What is in both."""
        return Room(max(self.low, low), min(self.high, high), self.missing and missing)

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Which of some values are in it."""
        return np.where(np.isnan(values), self.missing, (values >= self.low) & (values <= self.high))


class Split(NamedTuple):
    """One node that asks: of which of the tree's inputs, where it turns, and what the others must be to get there."""

    tree: int
    node: int
    feature: int
    threshold: np.float32
    rooms: dict[int, Room]


def tree_nodes(model: Any) -> list[Any]:
    """The ensembles of trees in the main graph of an ONNX model."""
    return [node for node in model.graph.node if node.op_type in TREES]


class Ensemble:
    """The trees of one such node, as arrays over all of their nodes."""

    def __init__(self, node: Any) -> None:
        from onnx import helper, numpy_helper

        found = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if "nodes_values_as_tensor" in found:  # thresholds in 64 bits
            found["nodes_values"] = numpy_helper.to_array(found["nodes_values_as_tensor"])
        self.trees, self.ids, self.features, then, other, tracks = (
            np.array(found.get(f"nodes_{name}") or [0] * len(found["nodes_nodeids"]), dtype=np.int64)
            for name in ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids", "missing_value_tracks_true")
        )
        self.thresholds = np.array(found["nodes_values"], dtype=np.float32)
        self.modes, self.tracks = found["nodes_modes"], tracks.astype(bool)
        self.asking = np.flatnonzero([mode != b"LEAF" for mode in self.modes])
        places = {key: place for place, key in enumerate(zip(self.trees.tolist(), self.ids.tolist(), strict=True))}
        self.parents: dict[int, tuple[int, bool]] = {}
        for place in self.asking.tolist():
            for child, true in ((then[place], True), (other[place], False)):
                self.parents[places[int(self.trees[place]), int(child)]] = place, true

    def splits(self, places: np.ndarray) -> Iterator[Split]:
        """Those at some places among `asking`."""
        for place in places.tolist():
            rooms: dict[int, Room] = {}
            at = place
            while at in self.parents:
                at, true = self.parents[at]
                feature = int(self.features[at])
                rooms[feature] = rooms.get(feature, Room()).within(*self._side(at, true))
            yield Split(
                int(self.trees[place]), int(self.ids[place]), int(self.features[place]), self.thresholds[place], rooms
            )

    def _side(self, place: int, true: bool) -> tuple[np.float32, np.float32, bool]:
        """Which values take a side of a node."""
        at = self.thresholds[place]
        below, above = np.nextafter(at, LOWEST), np.nextafter(at, HIGHEST)
        missing = bool(self.tracks[place]) == true
        left, right = {
            b"BRANCH_LEQ": ((LOWEST, at), (above, HIGHEST)),
            b"BRANCH_LT": ((LOWEST, below), (at, HIGHEST)),
            b"BRANCH_GT": ((above, HIGHEST), (LOWEST, at)),
            b"BRANCH_GTE": ((at, HIGHEST), (LOWEST, below)),
            b"BRANCH_EQ": ((at, at), (LOWEST, HIGHEST)),
            b"BRANCH_NEQ": ((LOWEST, HIGHEST), (at, at)),
        }[self.modes[place]]
        return (*(left if true else right), missing)
