"""Rows of data stay in the store of their home; a bundle from before, which holds them, can still be worked with."""

import hashlib
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from configs.errors import CheckFailed, InputError
from configs.settings import store
from serving.contract.contract import Column, Contract
from serving.contract.records import Records
from serving.scoring.bundle import read_bundle
from tasks.data.frames import contract_of
from tasks.gates.cases import CASES, reference_records
from tasks.packaging.reference import comparable, holdout_of, keep_reference, reference_of
from tasks.packaging.values import BundleRef
from tests.conftest import RICH, small_use_case


@pytest.fixture
def kept(built_bundle, built_data):
    """The bundle in this test's home, with the data that belongs to it."""
    shutil.copytree(built_bundle[0], store("bundles") / built_bundle[0].name)
    return BundleRef(digest=built_bundle[0].name)


def test_a_bundle_holds_no_row_and_names_those_it_was_made_with(kept):
    made = {"model.onnx", "reasons.npz", "contract.json", "card.md", "manifest.json"}
    assert {path.name for path in kept.path.iterdir()} == made
    assert pq.read_table(reference_of(kept)).column_names == ["c", "a", "b", "y"]
    assert pq.read_table(holdout_of(kept)).column_names == ["target", "probability"]


@pytest.mark.parametrize("policy", ["hash", "omit"])
def test_the_reference_keeps_what_the_log_keeps(home, tmp_path, quiet, policy):
    from tasks.data.derive_contract import derive_contract
    from tasks.data.ingest import ingest

    rich = RICH.replace("b: {nullable: true}", "b: {sensitive: true}") + f"\nlog: {{sensitive: {policy}}}"
    case = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": rich})
    snapshot = ingest.fn(case, None)
    digest = keep_reference(case, snapshot)
    assert pq.read_table(store("references") / f"{digest}.parquet").column_names == ["a", "y"]
    columns = {column.name: column for column in contract_of(derive_contract.fn(case, snapshot)).columns}
    assert columns["a"].low is not None
    assert (columns["b"].low, columns["b"].high, columns["c"].categories) == (None, None, ())


def test_what_was_not_kept_is_not_called_unseen():
    columns = (Column("c", "categorical", sensitive=True), Column("d", "categorical", categories=("x",)))
    records = Records(Contract("small", columns, "y", (0, 1)))
    assert records.unseen(records.inputs(records.convert([{"c": "anything", "d": "y"}]))) == {"d": 1}


def test_rows_that_are_not_here_or_not_the_same_are_told(kept):
    path = reference_of(kept)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CheckFailed, match="its SHA-256 differs"):
        reference_of(kept)
    path.unlink()
    with pytest.raises(InputError, match="its reference rows are not in this home"):
        reference_of(kept)


def test_a_policy_that_keeps_more_than_the_reference_watches_less(kept, tmp_path):
    keeps = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH + "\nlog: {sensitive: keep}"})
    assert comparable(keeps, kept).watched == ["c", "a", "b"]
    rows = pq.read_table(reference_of(kept)).drop_columns(["c"])
    pq.write_table(rows, kept.path / "reference.parquet")  # as a bundle from before has it
    assert comparable(keeps, kept).watched == ["a", "b"]


def test_cases_of_the_gates_are_rows_of_the_snapshot(kept, built_bundle):
    release = SimpleNamespace(bundle=kept.digest)
    with pytest.raises(InputError, match="is not in the store, so there are no cases"):
        reference_records(release)
    shutil.copy(built_bundle[1], store("snapshots"))
    cases = reference_records(release)
    rows = pq.read_table(built_bundle[1], columns=["c", "a", "b"])
    places = np.linspace(0, rows.num_rows - 1, CASES).astype(int)
    assert cases == rows.take(places).to_pylist()


def test_a_bundle_from_before_has_its_rows_inside(kept, built_bundle):
    old = kept.path
    shutil.move(reference_of(kept), old / "reference.parquet")
    shutil.move(holdout_of(kept), old / "holdout.parquet")
    manifest = json.loads((old / "manifest.json").read_text())
    del manifest["data"]
    for name in ("reference.parquet", "holdout.parquet"):
        manifest["files"][name] = hashlib.sha256((old / name).read_bytes()).hexdigest()
    (old / "manifest.json").write_text(json.dumps(manifest))
    assert read_bundle(old).contract.names == ("c", "a", "b")
    assert (reference_of(kept), holdout_of(kept)) == (old / "reference.parquet", old / "holdout.parquet")
    assert len(reference_records(SimpleNamespace(bundle=kept.digest))) == CASES
