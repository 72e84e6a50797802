"""Reasons: what each column added to a logged answer, made again from the version's bundle. Needs no service."""

from __future__ import annotations

from typing import Any

from configs.schema import UseCase
from configs.settings import store
from serving.contract.faults import ContractError
from serving.contract.records import Records
from serving.reasons.reasons import reasons_of
from serving.scoring.bundle import BundleError, read_bundle
from tasks.rollouts.known import bundle_of


def reasons(use_case: UseCase, record: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The reasons for the answer of a logged record, as a native answer has them; else None, and why there are none."""
    version = str(record["model_version"])
    if not record.get("output"):
        return None, "no model answered"
    try:
        bundle = read_bundle(store("bundles") / (bundle_of(use_case.name, version) or "unknown"))
    except BundleError as error:
        return None, f"the bundle of version {version} is not in this home: {error}"
    if not bundle.reasons:
        return None, f"version {version} gives no reasons: its model is none that they are made for, or it is an old one"
    hidden = [column.name for column in bundle.contract.columns if column.sensitive]
    if hidden and use_case.log.sensitive != "keep":
        return None, f"the log does not keep {', '.join(hidden)}; write 'log: {{sensitive: keep}}'"
    records = Records(bundle.contract, others=True)
    try:
        rows = records.convert([record["features"]])
    except ContractError as error:
        return None, f"the log's record is none that version {version} takes: {error}"
    feeds = records.feeds(records.inputs(rows))
    return reasons_of(bundle.reasons, bundle.codes, bundle.contract).told(feeds, [record["output"]])[0], ""
