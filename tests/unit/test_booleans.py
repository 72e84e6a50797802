"""True and false as features and as answers: ones and zeros for the model, whatever way they come."""

import json

import numpy as np
import pandas as pd
import pytest

from configs.errors import InputError
from serving.contract.contract import Column, Contract, ContractError, parse_contract
from serving.contract.heads.choose import head_of
from serving.contract.records import Records
from serving.log.writer import PredictionLog
from serving.options import Options
from serving.protocols.tensors import metadata
from serving.scoring.bundle import read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.transports import open_inference_pb2 as messages
from serving.transports.grpc import Service
from serving.transports.http import App
from tasks.columns.choose import KINDS
from tasks.data.frames import client_values, contract_of, encode, read_rows
from tasks.gates.behaviour import typical
from tasks.gates.contract_checks import _tensor
from tasks.onboarding.check import check as checked
from tests.conftest import chain, small_use_case
from tests.unit.test_init import configs, released, started  # noqa: F401 a fixture
from tests.unit.test_tables import (
    check,
    untold,  # noqa: F401 a fixture
    use_case,
)
from tests.unit.test_tables import released as bundled

COLUMN = Column("b", "boolean", nullable=True, missing=("?",))
FEATURES = "target: {column: y}\nfeatures: {boolean: [member, known], numeric: [a]}"


def members(rows=700, seed=0):
    """Of which members come again; of some it is not known whether they are."""
    dice = np.random.default_rng(seed)
    member = dice.random(rows) < 0.4
    frame = pd.DataFrame({"a": dice.normal(size=rows), "member": pd.Series(member, dtype=object)})
    frame["known"] = dice.random(rows) < 0.5
    frame["y"] = member ^ (dice.random(rows) < 0.1)
    frame.loc[::40, "member"] = None
    return frame


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (True, 1.0),
        (False, 0.0),
        (1, 1.0),
        (0, 0.0),
        (1.0, 1.0),
        (0.0, 0.0),
        (None, None),
        (np.True_, 1.0),
        (np.int8(0), 0.0),
    ],
)
def test_what_is_true_and_what_is_false(value, meant):
    records = Records(Contract("demo", (COLUMN,), "y", ("no", "yes")))
    plain = value.item() if isinstance(value, np.generic) else value
    read = records.read([json.dumps({"b": plain}).encode(), b"{}"])
    inputs = records.inputs(read).numbers[0]
    by_column, same = records.from_columns({"b": [value, None]})
    assert COLUMN.encode([value])[0, 0] == pytest.approx(meant if meant is not None else np.nan, nan_ok=True)
    assert (read[0].f0, read[1].f0, by_column[0].f0) == (meant, None, meant)
    assert np.array_equal(inputs, same.numbers[0], equal_nan=True)


@pytest.mark.parametrize("value", ["true", "yes", "", 2, -1, 0.5, "2026-03-01"])
def test_what_is_neither_is_one_fault_by_every_way(value):
    records = Records(Contract("demo", (COLUMN,), "y", ("no", "yes")))
    for ask in (
        lambda: COLUMN.encode([True, value]),
        lambda: records.read([b'{"b": true}', json.dumps({"b": value}).encode()]),
        lambda: records.convert([{"b": True}, {"b": value}]),
        lambda: records.from_columns({"b": [True, value]}),
    ):
        with pytest.raises(ContractError, match=r"row 1, column 'b': must be true or false \(or 1 or 0\), found ") as error:
            ask()
        assert len(error.value.faults) == 1


def test_a_field_of_a_csv():
    fields = ["true", "True", "FALSE", "1", "0", "", "NA", "?", "maybe"]
    assert [COLUMN.from_csv(each) for each in fields] == [True, True, False, True, False, None, None, None, "maybe"]


def test_booleans_mean_the_same_everywhere(tmp_path, home, untold):  # noqa: F811
    frame = members()
    frame.to_parquet(tmp_path / "rows.parquet")
    contract = check(use_case(tmp_path / "rows.parquet", FEATURES), tmp_path)
    assert {column.name: column.kind for column in contract.columns}["member"] == "boolean"
    numbers = frame.assign(member=frame["member"].map({True: 1, False: 0}).astype("Int64"))
    numbers.to_csv(tmp_path / "numbers.csv", index=False)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = []
    for name in ("rows.parquet", "rows.csv", "numbers.csv"):
        snapshot, digest, _, _ = chain(use_case(tmp_path / name, FEATURES))
        found.append(encode(contract_of(digest), read_rows(snapshot, 0, snapshot.rows)).sort_values("a").to_numpy())
    assert np.array_equal(found[0], found[1], equal_nan=True)
    assert np.array_equal(found[0], found[2], equal_nan=True)


def test_a_field_that_is_neither_is_told_by_its_line(tmp_path, home, quiet):
    frame = members()
    frame.loc[2, "member"] = "maybe"
    frame.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(InputError, match=r"line 4, column 'member': must be true or false .*found 'maybe'"):
        chain(use_case(tmp_path / "rows.csv", FEATURES))
    with pytest.raises(InputError, match=r"'c' is boolean, which has no 'allowed'"):
        small_use_case(tmp_path, **{"categorical: [c]": "boolean: [c], rules: {c: {allowed: [a]}}"})


def test_open_inference_has_booleans_in_and_out(tmp_path, home, quiet):
    members().to_parquet(tmp_path / "rows.parquet")
    folder, frame, expected, contract = bundled(use_case(tmp_path / "rows.parquet", FEATURES))
    log = PredictionLog(tmp_path / "log")
    model = ServedModel(read_bundle(folder), Identity("1", "table-v1"), log)
    told = metadata(model)
    assert {each["name"]: each["datatype"] for each in told["inputs"]} == {"a": "FP32", "member": "BOOL", "known": "BOOL"}
    assert told["outputs"][0] == {"name": "y", "datatype": "BOOL", "shape": [-1, 1]}
    full = frame.dropna()
    request = messages.ModelInferRequest(model_name=contract.use_case)
    for name, field in (("a", "fp64_contents"), ("member", "bool_contents"), ("known", "bool_contents")):
        datatype = "FP64" if name == "a" else "BOOL"
        tensor = request.inputs.add(name=name, datatype=datatype, shape=[len(full)])
        getattr(tensor.contents, field).extend(client_values(full[name]))
    service = Service(App(model, Options(bundle=str(folder), log="log"), None), None, None)
    job = service._read(request)
    model.score([job])
    answer = service._write(job, request)
    np.testing.assert_allclose(job.outputs, expected[frame.index.isin(full.index)], atol=1e-5)
    assert list(answer.outputs[0].contents.bool_contents) == job.answers
    assert set(job.answers) == {True, False}
    request.raw_input_contents.append(b"")
    assert service._write(job, request).raw_output_contents[0] == np.array(job.answers).tobytes()
    log.close()


def test_contracts_of_before_stay_readable():
    old = b"""{"use_case": "old", "columns": [{"name": "b", "kind": "numeric", "boolean": true}], "target": "y",
        "classes": [false, true], "meaning": 3}"""
    contract = parse_contract(old)
    assert contract.encode([{"b": True}, {"b": 0}])["b"].ravel().tolist() == [1.0, 0.0]
    assert Records(contract).read([b'{"b": true}'])[0].f0 == 1.0
    assert head_of(contract).tensors[0].datatype == "BOOL"


def test_gates_ask_for_what_is_true_or_false():
    columns = (Column("b", "boolean"), Column("a", "numeric"))
    records = [{"b": True, "a": 1}, {"b": True, "a": 3}, {"b": False, "a": 2}]
    assert typical(records, Contract("demo", columns, "y", ("no", "yes"))) == {"b": True, "a": 2.0}
    assert [_tensor(columns[0], [True, None])["datatype"], _tensor(columns[0], [1, 0])["datatype"]] == ["BOOL", "FP32"]


def test_drift_of_a_boolean_is_counted_put_back_and_told():
    kind = KINDS["boolean"]
    reference, window = pd.Series([0.0] * 90 + [1.0] * 10, name="b"), pd.Series([1.0] * 45 + [0.0] * 5, name="b")
    bins = kind.bins(reference)
    assert np.bincount(bins.codes(pd.Series([0.0, 1.0, None])), minlength=bins.size).tolist()[1:] == [1, 1, 0, 1]
    assert kind.fault(window, reference).kind == "turned"
    assert kind.put_back(window, reference, np.random.default_rng(0)).mean() == pytest.approx(0.1, abs=0.02)
    assert set(kind.shown(pd.Series([1.0, 0.0, None])).tolist()) == {"true", "false", ""}


def test_a_table_of_booleans_releases_without_an_edit(configs, home, quiet, tmp_path):  # noqa: F811
    members().to_csv(tmp_path / "rows.csv", index=False)
    _, case = started(tmp_path / "rows.csv", "y")
    assert (case.features.boolean, case.features.numeric) == (["member", "known"], ["a"])
    released(case)
    assert checked("new", lambda _: None).problems == []
