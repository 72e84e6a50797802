"""Values of packaging: a converted model, and the bundle that moves."""

from __future__ import annotations

from pathlib import Path

from configs.settings import store
from tasks.store import Value


class OnnxModel(Value):
    """A converted model, compared with scikit-learn on every holdout row."""

    digest: str
    rows_compared: int
    max_difference: float
    golden: str
    variant: str = "as converted"

    @property
    def path(self) -> Path:
        """Where it lies."""
        return store("onnx") / f"{self.digest}.onnx"

    @property
    def golden_path(self) -> Path:
        """Records and the outputs that scikit-learn gives them, for the integration test."""
        return store("golden") / f"{self.golden}.json"


class BundleRef(Value):
    """A bundle in the store."""

    digest: str

    @property
    def path(self) -> Path:
        """The bundle's folder."""
        return store("bundles") / self.digest
