"""The table of meanings in docs/serving.md: one value, one meaning, by whatever way it comes."""

import csv
import io
import json
import struct

import numpy as np
import pandas as pd
import pytest

from configs.settings import prediction_log
from serving.contract.contract import Column, Contract, ContractError, contract_json, parse_contract
from serving.log.writer import PredictionLog
from serving.options import Options
from serving.protocols.mlflow import MlflowScoring
from serving.protocols.native import Native
from serving.protocols.open_inference import OpenInference
from serving.refusal import Refusal
from serving.scoring.bundle import read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.transports import open_inference_pb2 as messages
from serving.transports.grpc import Service
from serving.transports.http import App
from tasks.data.csv_file import Declared
from tasks.data.files import read_file
from tasks.data.frames import encode, frame_of, plain
from tasks.log.read import open_log

# A category as each way has it, and the one text that is learned, scored and logged.
MEANINGS = [
    ("red", "red"),
    ("3.0", "3.0"),
    ("01234", "01234"),
    (' x,"y" ', ' x,"y" '),
    ("NA", "NA"),
    ("True", "True"),
    (3, "3"),
    (3.0, "3"),
    (-0.0, "0"),
    (2.5, "2.5"),
    (0.1, "0.1"),
    (1e22, "10000000000000000000000"),
    (2**53 + 1, "9007199254740993"),
    (True, "true"),
    (False, "false"),
]
# A field of a CSV, which has no type, and what means the same by the other ways: a category is the text that it is.
CSV_FIELDS = [
    ("red", "red"),
    ("3", 3),
    ("3.0", "3.0"),
    ("-2.50", "-2.50"),
    ("NA", "NA"),
    ("None", "None"),
    ("0.1", 0.1),
    ("9007199254740993", 2**53 + 1),
    ("True", True),
    ("false", False),
    ("01234", "01234"),
    ("+3", "+3"),
    ("1e3", "1e3"),
    ("3.", "3."),
    (' x,"y" ', ' x,"y" '),
]


@pytest.fixture
def app(bundle_folder, home):
    """A worker's application, without its process; what it answers and logs is what each protocol reads."""
    log = PredictionLog(prediction_log("small"))
    model = ServedModel(read_bundle(bundle_folder), Identity("1", "small-v1"), log)
    yield App(model, Options(bundle=str(bundle_folder), log="log"), None)
    log.close()


def by_native(app, value, customer):
    record = {"a": 0.1, "c": value, "customer": customer}
    return Native(app.model).read(json.dumps({"records": [record]}).encode())


def by_large_native(app, value, customer):
    record = {"a": 0.1, "c": value, "customer": customer}
    body = json.dumps({"records": [record] * 3000}).encode()
    job = Native(app.model).read(body)
    job.rows = job.rows[2999:]
    return job


def invocations(body):
    def read(app, value, customer):
        record = {"a": 0.1, "c": value, "customer": customer}
        return MlflowScoring(app.model).read(json.dumps(body(record)).encode(), "application/json")[0]

    return read


def by_csv(app, value, customer):
    text = io.StringIO()
    csv.writer(text).writerows([["a", "c", "customer"], [0.1, value, customer]])
    return MlflowScoring(app.model).read(text.getvalue().encode(), 'text/csv; charset="UTF-8"')[0]


def datatype(value):
    return (
        "BYTES"
        if isinstance(value, str)
        else "BOOL"
        if isinstance(value, bool)
        else "INT64"
        if isinstance(value, int)
        else "FP64"
    )


def raw(value, kind):
    if kind == "BYTES":
        return struct.pack("<I", len(value.encode())) + value.encode()
    dtype = {"BOOL": "?", "INT64": "<i8", "FP64": "<f8", "FP32": "<f4"}[kind]
    return np.array([value], dtype=dtype).tobytes()


def by_json_tensors(app, value, customer):
    given = {"a": 0.1, "c": value, "customer": customer}
    inputs = [{"name": n, "shape": [1], "datatype": datatype(v), "data": [v]} for n, v in given.items()]
    return OpenInference(app.model).read(json.dumps({"inputs": inputs}).encode(), None)[0]


def by_binary_tensors(app, value, customer):
    given = {"a": 0.1, "c": value, "customer": customer}
    raws = [raw(v, datatype(v)) for v in given.values()]
    inputs = [
        {"name": n, "shape": [1], "datatype": datatype(v), "parameters": {"binary_data_size": len(r)}}
        for (n, v), r in zip(given.items(), raws, strict=True)
    ]
    head = json.dumps({"inputs": inputs}).encode()
    return OpenInference(app.model).read(head + b"".join(raws), str(len(head)))[0]


def by_narrow_tensors(app, value, customer):
    """As most clients of tensors send numbers: 32 bits."""
    inputs = [
        {"name": "a", "shape": [1], "datatype": "FP32", "parameters": {"binary_data_size": 4}},
        {"name": "c", "shape": [1], "datatype": "FP32", "parameters": {"binary_data_size": 4}},
        {"name": "customer", "shape": [1], "datatype": datatype(customer), "data": [customer]},
    ]
    head = json.dumps({"inputs": inputs}).encode()
    return OpenInference(app.model).read(head + raw(0.1, "FP32") + raw(value, "FP32"), str(len(head)))[0]


def by_grpc(app, value, customer, as_raw=False):
    request = messages.ModelInferRequest(model_name="small")
    for name, each in (("a", 0.1), ("c", value), ("customer", customer)):
        kind = datatype(each)
        tensor = request.inputs.add(name=name, datatype=kind, shape=[1])
        if as_raw:
            request.raw_input_contents.append(raw(each, kind))
        else:
            field = {"BYTES": "bytes_contents", "BOOL": "bool_contents", "INT64": "int64_contents", "FP64": "fp64_contents"}[
                kind
            ]
            getattr(tensor.contents, field).append(each.encode() if kind == "BYTES" else each)
    return Service(app, None, None)._read(request)


def by_raw_grpc(app, value, customer):
    return by_grpc(app, value, customer, as_raw=True)


WAYS = [
    by_native,
    by_large_native,
    invocations(lambda record: {"dataframe_records": [record]}),
    invocations(lambda record: {"instances": [record]}),
    invocations(lambda record: {"inputs": {name: [value] for name, value in record.items()}}),
    invocations(lambda record: {"dataframe_split": {"columns": list(record), "data": [list(record.values())]}}),
    by_json_tensors,
    by_binary_tensors,
    by_grpc,
    by_raw_grpc,
]


def logged_and_answered(app, ways, value, customer):
    """What each way's record is in the log, and its answer; in one batch."""
    jobs = [way(app, value, customer) for way in ways]
    app.model.score(jobs)
    for job in jobs:
        if job.error:
            raise job.error
    with open_log("small") as log:
        rows = dict(log.execute("select prediction_id, features from log").fetchall())
    return [(json.loads(rows[job.ids[0]]), job.outputs) for job in jobs]


@pytest.mark.parametrize(("value", "meant"), MEANINGS, ids=repr)
def test_a_value_means_the_same_by_every_way(app, value, meant):
    ways = WAYS
    if isinstance(value, float) and value == np.float32(str(value)).astype(str).astype(float):
        ways = [*ways, by_narrow_tensors]
    (first, answer), *others = logged_and_answered(app, ways, value, "00123")
    assert first == {"a": 0.1, "c": meant, "customer": "00123"}
    assert all(other == (first, answer) for other in others)


@pytest.mark.parametrize(("field", "value"), CSV_FIELDS)
def test_a_field_of_a_csv_means_what_json_means(app, field, value):
    assert logged_and_answered(app, [by_csv], field, "00123") == logged_and_answered(app, [by_native], value, "00123")


@pytest.mark.parametrize("customer", ["00123", "c-1", 42, 2**53 + 1])
def test_an_identifier_means_the_same_by_every_way(app, customer):
    for record, _ in logged_and_answered(app, WAYS, "red", customer):
        assert record["customer"] == customer
        assert type(record["customer"]) is type(customer)


@pytest.mark.parametrize(("value", "meant"), MEANINGS, ids=repr)
def test_training_and_batches_mean_the_same(value, meant):
    column = Column("c", "categorical")
    contract = Contract("demo", (column,), "y", (0, 1))
    assert encode(contract, pd.DataFrame({"c": [value]}))["c"].tolist() == [meant]
    if isinstance(value, float):
        with_null = pd.Series([value, None], dtype="float64")
        assert Column("c", "categorical", nullable=True).encode(plain(with_null)).ravel().tolist() == [meant, ""]


def read_csv(folder, text, column):
    (folder / "rows.csv").write_text(text, newline="")
    return frame_of(read_file("rows", str(folder / "rows.csv"), Declared(texts={"c": column.from_csv})))


@pytest.mark.parametrize(("field", "value"), CSV_FIELDS)
def test_training_and_batches_read_a_csv_as_the_server_does(tmp_path, field, value):
    text = io.StringIO()
    csv.writer(text).writerows([["c", "n"], [field, 1], ["red", 2]])
    contract = Contract("demo", (Column("c", "categorical"),), "y", (0, 1))
    assert encode(contract, read_csv(tmp_path, text.getvalue(), contract.columns[0]))["c"].tolist()[0] == (
        contract.columns[0].its.one(contract.columns[0], value, 0)
    )


def test_32_bits_in_a_table_are_the_number_that_people_wrote():
    frame = pd.DataFrame({"c": np.array([0.1, 3], dtype=np.float32)})
    assert encode(Contract("demo", (Column("c", "categorical"),), "y", (0, 1)), frame)["c"].tolist() == ["0.1", "3"]


def test_what_is_declared_counts_before_what_a_field_looks_like(tmp_path):
    column = Column("c", "categorical", nullable=True, categories=("TRUE", "x"), missing=("?",))
    frame = read_csv(tmp_path, "c,n\nNA,NA\n1.10,1\nTRUE,2\ntrue,3\n?,4\n,5\n", column)
    assert plain(frame["c"]) == ["NA", "1.10", "TRUE", "true", None, None]
    assert frame["n"].isna().tolist() == [True, *[False] * 5], "nothing else is meant where numbers stand"
    assert [column.from_csv(text) for text in ("NA", "1.10", "?", "")] == ["NA", "1.10", None, None]
    assert column.encode(["?", "NA"]).ravel().tolist() == ["", "NA"]
    assert Column("n", "numeric", nullable=True).from_csv("NA") is None


@pytest.mark.parametrize(("known", "fields"), [((), [None, "1.1"]), (("NA", "1.10"), ["NA", "1.10"])])
def test_a_category_of_a_contract_made_before_is_read_as_it_was_learned(known, fields):
    column = Column("c", "categorical", nullable=True, categories=known, meaning=2)
    assert [column.from_csv("NA"), column.from_csv("1.10"), column.from_csv("")] == [*fields, None]


@pytest.mark.parametrize("text", ["1_000", "x", "0x10"])
def test_what_is_a_number_in_python_only_is_none_in_a_csv(text):
    with pytest.raises(ValueError, match=text):
        Column("n", "numeric").from_csv(text)


def test_a_contract_made_before_keeps_what_its_model_learned():
    """Its training read booleans as 1 and 0, and widened 32 bits before it spelled them."""
    now = contract_json(Contract("demo", (Column("c", "categorical", categories=("0", "1")),), "y", (0, 1)))
    before = {key: value for key, value in json.loads(now).items() if key != "meaning"}
    old, new = parse_contract(json.dumps(before).encode()), parse_contract(now)
    assert encode(old, pd.DataFrame({"c": [True, False]}))["c"].tolist() == ["1", "0"]
    assert encode(new, pd.DataFrame({"c": [True, False]}))["c"].tolist() == ["true", "false"]
    narrow = pd.DataFrame({"c": np.array([0.1], dtype=np.float32)})
    assert encode(old, narrow)["c"].tolist() == ["0.10000000149011612"]
    assert old.columns[0].encode([True, 3, 3.0, 2.5]).ravel().tolist() == ["1", "3", "3", "2.5"]
    assert parse_contract(contract_json(old)) == old


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("customer", [True, 1.5, 42.0])
def test_what_is_no_identifier_is_refused_by_every_way(app, way, customer):
    with pytest.raises(ContractError, match="column 'customer': must be text or a whole number"):
        way(app, "red", customer)


def test_a_boolean_is_no_number_by_any_way(app):
    record, tensor = {"a": True, "c": "red"}, {"shape": [1], "datatype": "BOOL", "data": [True]}
    text = {"name": "c", "shape": [1], "datatype": "BYTES", "data": ["red"]}
    for read in (
        lambda: Native(app.model).read(json.dumps({"records": [record]}).encode()),
        lambda: MlflowScoring(app.model).read(json.dumps({"instances": [record]}).encode(), "application/json"),
        lambda: MlflowScoring(app.model).read(b"a,c\nTrue,red\n", "text/csv"),
        lambda: OpenInference(app.model).read(json.dumps({"inputs": [{"name": "a", **tensor}, text]}).encode(), None),
    ):
        with pytest.raises(ContractError, match="row 0, column 'a': must be a number"):
            read()


def test_ids_are_a_list_or_text_with_commas_and_each_its_own(app):
    protocol = OpenInference(app.model)
    inputs = [
        {"name": "a", "shape": [2], "datatype": "FP64", "data": [1, 2]},
        {"name": "c", "shape": [2], "datatype": "BYTES", "data": ["red", "red"]},
    ]

    def ids(given):
        return protocol.read(json.dumps({"inputs": inputs, "parameters": {"prediction_ids": given}}).encode(), None)[0].ids

    assert ids(["a", "b,c"]) == ["a", "b,c"]
    assert ids("a,b") == ["a", "b"]
    for wrong in (["a"], ["a", 1], ["a", ""], {"a": "b"}, 7, "a"):
        with pytest.raises(ContractError, match="prediction_ids"):
            ids(wrong)
    with pytest.raises(ContractError, match="row 1, column 'prediction_ids': names another row"):
        ids(["a", "a"])
    body = {"records": [{"a": 1, "c": "red"}] * 2, "prediction_ids": ["a", "a"]}
    with pytest.raises(ContractError, match="row 1, column 'prediction_ids': names another row"):
        Native(app.model).read(json.dumps(body).encode())


def test_what_may_be_left_out_may_be_null(app):
    inputs = [
        {"name": "a", "shape": [1], "datatype": "FP64", "data": [1], "parameters": None},
        {"name": "c", "shape": [1], "datatype": "BYTES", "data": ["red"], "parameters": None},
    ]
    outputs = [{"name": "y", "parameters": None}]
    protocol = OpenInference(app.model)
    for body in (
        {"inputs": inputs, "parameters": None, "outputs": None, "id": None},
        {"inputs": inputs, "outputs": outputs},
    ):
        job, request = protocol.read(json.dumps(body).encode(), None)
        app.model.score([job])
        assert json.loads(protocol.write(job, request)[1])["outputs"][0]["data"][0] in ("yes", "no")
    scoring = MlflowScoring(app.model)
    for name in ("params", "parameters"):
        body = {"instances": [{"a": 1, "c": "red"}], name: None}
        assert len(scoring.read(json.dumps(body).encode(), "application/json")[0].rows) == 1


@pytest.mark.parametrize("kind", ['text/csv; charset="utf-8"', "text/csv;charset=UTF8", "text/csv; charset=utf-8"])
def test_a_charset_may_be_quoted(app, kind):
    assert len(MlflowScoring(app.model).read(b"a,c\n1,red\n", kind)[0].rows) == 1


def test_another_charset_is_refused(app):
    with pytest.raises(Refusal, match="only charset=utf-8"):
        MlflowScoring(app.model).read(b"a,c\n1,red\n", 'text/csv; charset="latin-1"')
