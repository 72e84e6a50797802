"""The value of the registry: a version."""

from __future__ import annotations

from tasks.packaging.values import BundleRef
from tasks.store import Value


class Version(Value):
    """A version in the MLflow registry."""

    use_case: str
    version: str
    run_id: str
    bundle: BundleRef
    golden: str
    tags: dict[str, str] = {}
