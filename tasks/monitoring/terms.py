"""A use case in the terms of one version, so that each is judged by what it takes, whatever the use case says today."""

from __future__ import annotations

from configs.schema import ColumnRule, Features, UseCase
from serving.contract.kinds.choose import KINDS
from serving.scoring.bundle import read_bundle
from tasks.registry.values import Version


def in_terms_of(use_case: UseCase, version: Version, judged: int) -> UseCase:
    """With the features of the version's contract; where several are judged, each gets its share of the false alarm rate."""
    contract = read_bundle(version.bundle.path).contract
    names = {kind: [c.name for c in contract.columns if c.kind == kind] for kind in KINDS}
    rules = {column.name: ColumnRule(sensitive=True) for column in contract.columns if column.sensitive}
    monitoring = use_case.monitoring
    shared = {"false_alarm_rate": monitoring.false_alarm_rate / max(judged, 1)}
    return use_case.model_copy(
        update={
            "features": Features.model_validate({"rules": rules, **names}),
            "source": use_case.source.model_copy(update={"time_column": contract.time_column}),
            "monitoring": monitoring.model_copy(update=shared),
        }
    )
