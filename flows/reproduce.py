"""Reproduce: a version, built again from its lineage."""

from __future__ import annotations

from prefect import flow

from tasks.data.derive_contract import derive_contract
from tasks.data.split import split
from tasks.packaging.convert import convert
from tasks.packaging.variants import CONVERTED, rebuilt
from tasks.registry.reproduction import compare_onnx, recorded_recipe, recorded_snapshot
from tasks.registry.versions import get_version, recorded_use_case
from tasks.training.train import train


@flow(name="reproduce", flow_run_name="reproduce-{use_case}-{version}")
def reproduce(use_case: str = "flights", version: str = "1") -> str:
    """Train and convert again from the recorded snapshot and configuration, and compare the ONNX bytes.

    Args:
        use_case: A name in `configs/`.
        version: The version to build again.

    Returns:
        What was compared. A difference fails the run.
    """
    original = get_version(use_case, version)
    case = recorded_use_case(original)
    snapshot = recorded_snapshot(case, original)

    contract = derive_contract.with_options(refresh_cache=True)(case, snapshot)
    parts = split.with_options(refresh_cache=True)(case, snapshot)
    model = train.with_options(refresh_cache=True)(snapshot, parts.final, contract, recorded_recipe(case, original))
    onnx = convert.with_options(refresh_cache=True)(parts, contract, case.features, model)
    return compare_onnx(original, rebuilt(onnx, original.tags.get("variant", CONVERTED)))
