"""What each protocol reads and writes, in this process; real clients speak them in tests/integration/test_clients.py."""

import json
import os

import msgspec
import numpy as np
import pytest

from serving.contract.contract import ContractError
from serving.protocols.mlflow import MlflowScoring
from serving.protocols.native import Native
from serving.protocols.open_inference import OpenInference
from serving.refusal import Refusal
from tasks.log.read import find_prediction, open_log

RECORD = {"a": 1.0, "b": 0.5, "c": "red"}


def predict(model, body):
    native = Native(model)
    job = native.read(body if isinstance(body, bytes) else json.dumps(body).encode())
    return json.loads(native.write(scored(model, job)))


def infer(model, body, json_length=None):
    protocol = OpenInference(model)
    job, request = protocol.read(body if isinstance(body, bytes) else json.dumps(body).encode(), json_length)
    return protocol.write(scored(model, job), request)


def invoke(model, body, content_type="application/json"):
    protocol = MlflowScoring(model)
    job, wanted = protocol.read(body if isinstance(body, bytes) else json.dumps(body).encode(), content_type)
    return json.loads(protocol.write(scored(model, job), wanted))["predictions"]


def scored(model, job):
    model.score([job])
    if job.error:
        raise job.error
    return job


def tensors(**values):
    kinds = {"c": "BYTES", "customer": "INT64"}
    return [
        {"name": name, "shape": [len(data), 1], "datatype": kinds.get(name, "FP64"), "data": data}
        for name, data in values.items()
    ]


def test_all_protocols_answer_alike(model):
    answer = predict(model, {"records": [RECORD, {**RECORD, "b": None}]})
    wanted = [list(row["probabilities"].values()) for row in answer["predictions"]]
    classes = [row["prediction"] for row in answer["predictions"]]
    inputs = tensors(a=[1.0, 1.0], b=[0.5, None], c=["red", "red"])
    _, body = infer(model, {"id": "7", "inputs": inputs})
    found = json.loads(body)
    assert found["id"] == "7"
    chosen, shares = found["outputs"]
    assert chosen["data"] == classes
    assert np.reshape(shares["data"], (2, 2)).tolist() == wanted
    rows = [RECORD, {"a": 1.0, "c": "red"}]
    split = {"columns": ["c", "a", "b"], "data": [["red", 1, 0.5], ["red", 1, None]]}
    columns = {"a": [[1.0], [1.0]], "b": [0.5, None], "c": ["red", "red"]}
    for body in ({"dataframe_records": rows}, {"instances": rows}, {"inputs": columns}, {"dataframe_split": split}):
        assert invoke(model, body) == classes
        assert invoke(model, {**body, "params": {"predict_fn": "predict_proba"}}) == wanted
    assert invoke(model, b"\xef\xbb\xbfa,c,b\r\n1.0,red,0.5\n1,red,NA\n", "text/csv; charset=utf-8") == classes


def test_a_client_s_own_prediction_ids_are_kept(model):
    body = {"records": [RECORD], "prediction_ids": ['mine-"1"']}
    assert predict(model, body)["predictions"][0]["prediction_id"] == 'mine-"1"'
    assert find_prediction("small", 'mine-"1"') == {"prediction"}
    with pytest.raises(ContractError, match="1 prediction_ids for 2 records"):
        predict(model, {**body, "records": [RECORD] * 2})
    infer(model, {"inputs": tensors(a=[1], c=["red"]), "parameters": {"prediction_ids": "theirs"}})
    assert find_prediction("small", "theirs") == {"prediction"}


def test_what_is_logged_of_a_request(model):
    answer = predict(model, {"records": [{**RECORD, "customer": 42}], "event_time": "2020-01-01T01:00:00+01:00"})
    with open_log("small") as log:
        columns = "event_time, model_version, release, variant, features, prediction, output"
        (row,) = log.execute(f"select {columns} from log").fetchall()
    event_time, version, release, variant, features, prediction, output = row
    assert str(event_time) == "2020-01-01 00:00:00"
    assert (version, release, variant) == ("1", "small-v1", "champion")
    assert json.loads(features) == {**RECORD, "customer": 42}
    assert prediction == answer["predictions"][0]["prediction"]
    assert output == list(answer["predictions"][0]["probabilities"].values())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"shape": [3, 1]}, "column 'a': 1 values for 3 rows"),
        ({"shape": [1, 2]}, "shape [1, 2] is not a column"),
        ({"datatype": "COMPLEX"}, "datatype 'COMPLEX' is not one of BOOL"),
        ({"name": "nope"}, "column 'nope': is not in the contract; known: "),
        ({"parameters": {"binary_data_size": 8}}, "binary_data_size 8 reaches beyond the body"),
        ({"parameters": {"binary_data_size": -1}}, "binary_data_size -1 reaches beyond"),
        ({"data": None}, "column 'a': has no data"),
        ({"data": [1.5], "datatype": "INT64"}, "must be INT64, found '1.5'"),
        ({"data": [300], "datatype": "UINT8"}, "does not fit in UINT8"),
        ({"data": ["x"]}, "must be FP64, found 'x'"),
        ({"data": [True]}, "must be FP64, found 'True'"),
        ({"data": [1e39]}, "row 0, column 'a': is not a finite number that fits in 32 bits"),
        ({"data": [None]}, "row 0, column 'a': is missing"),
    ],
)
def test_open_inference_refuses_what_it_cannot_read(model, change, told):
    inputs = tensors(a=[1.0], c=["red"])
    with pytest.raises(ContractError) as caught:
        infer(model, {"inputs": [{**inputs[0], **change}, inputs[1]]})
    assert told in str(caught.value)


def test_open_inference_refuses_what_does_not_fit_together(model):
    for inputs, told in (
        (tensors(a=[1.0]), "column 'c': is not in the table"),
        (tensors(a=[1.0], c=["red", "red"]), "tensors differ in their number of rows"),
        ([], "there is no row to score"),
        (tensors(a=[1.0], c=["red"]) + tensors(a=[1.0]), "is there twice"),
    ):
        with pytest.raises(ContractError, match=told):
            infer(model, {"inputs": inputs})
    with pytest.raises(ContractError, match="no output is named 'logits'; known: y, probabilities"):
        infer(model, {"inputs": tensors(a=[1.0], c=["red"]), "outputs": [{"name": "logits"}]})
    head = json.dumps({"inputs": tensors(a=[1.0], c=["red"])}).encode()
    with pytest.raises(ContractError, match="3 bytes after the last tensor"):
        infer(model, head + b"xyz", str(len(head)))
    for length in ("-1", "x", "99999", "9" * 30):
        with pytest.raises(ContractError, match="is not a length within the body"):
            infer(model, b"{}", length)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "one of dataframe_split, dataframe_records, instances, inputs"),
        ([], "one of dataframe_split"),
        ({"instances": [], "inputs": []}, "one of dataframe_split"),
        ({"instances": []}, "there is no row to score"),
        ({"instances": [1]}, "row 0: must be an object with one field a column"),
        ({"instances": [RECORD], "more": 1}, "key 'more' is not one of instances, params"),
        ({"instances": [RECORD], "params": {"predict_fn": "explain"}}, "'explain' is not one of predict, predict_proba"),
        ({"dataframe_split": {"data": []}}, "dataframe_split needs a list of names in 'columns' and of rows in 'data'"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "row 0: must be a list of 1 values"),
        ({"inputs": {"a": [1, 2], "c": ["x"]}}, "columns differ in their number of rows"),
        ({"instances": [{**RECORD, "a": "x"}]}, "row 0, column 'a': must be a number, found 'x'"),
        (b"a,c\n1\n", "row 0: has 1 fields where the header has 2"),
        (b"a,c\nx,red\n", "row 0, column 'a': must be a number, found 'x'"),
        (b"\xff\xfe", "the CSV is not UTF-8"),
        (b'a,c\n1,"red', "the CSV cannot be read"),
        (b"", "there is no row to score"),
    ],
)
def test_mlflow_scoring_refuses_what_it_cannot_read(model, body, told):
    with pytest.raises(ContractError) as caught:
        invoke(model, body, "text/csv" if isinstance(body, bytes) else "application/json")
    assert told in str(caught.value)


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=latin-1", "image/png"])
def test_mlflow_scoring_refuses_other_types(model, kind):
    with pytest.raises(Refusal) as caught:
        invoke(model, {}, kind)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    "body",
    [
        b'{"records":[{"a":NaN,"c":"red"}]}',
        b'{"records":[{"a":Infinity,"c":"red"}]}',
        b"{",
        b"",
        b"\xff",
        b'{"records":[{"a":1,"c":"\xff"}]}',
        b'{"records":[{"a":1,"c":"\\ud800"}]}',
    ],
)
def test_what_is_no_json_is_no_request(model, body):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as caught:
        predict(model, body)
    assert not isinstance(caught.value, msgspec.ValidationError)


def test_of_a_key_that_is_there_twice_the_last_counts(model):
    twice = predict(model, b'{"records":[{"a":-9,"c":"red","a":1.0,"b":0.5}]}')
    assert (
        twice["predictions"][0]["probabilities"] == predict(model, {"records": [RECORD]})["predictions"][0]["probabilities"]
    )


def outcomes(model, body):
    """Read, check and log outcomes, as the transport does."""
    model.feedback(Native(model).read_feedback(body), "")


def test_a_label_that_is_no_class_is_refused_and_nothing_is_logged(model):
    with pytest.raises(ContractError, match="'maybe' is not one of 'no', 'yes'"):
        outcomes(model, b'{"labels":[{"prediction_id":"id-1","label":"yes"},{"prediction_id":"id-2","label":"maybe"}]}')
    assert find_prediction("small", "id-1") == set()


def test_an_outcome_may_be_a_label_or_numbers_but_not_nothing(model):
    both = b'{"labels":[{"prediction_id":"id-1","kpis":{"minutes":12.5}},{"prediction_id":"id-1","label":"yes"}]}'
    outcomes(model, both)
    with open_log("small") as log:
        found = log.sql("select label, kpis ->> 'minutes' from log order by label nulls first").fetchall()
    assert found == [(None, "12.5"), ("yes", None)]
    with pytest.raises(ContractError, match="row 1: has neither a label nor kpis"):
        outcomes(model, b'{"labels":[{"prediction_id":"a","label":"yes"},{"prediction_id":"b"}]}')
    with pytest.raises(ContractError, match="'refused' is a KPI of the service itself"):
        outcomes(model, b'{"labels":[{"prediction_id":"a","kpis":{"refused":0}}]}')
    for wrong in (
        '{"a b": 1}',
        '{"minutes": "1"}',
        '{"Minutes": 1}',
        "{}",
        "null",
        '{"minutes": 1e999}',
        "{" + ",".join(f'"k{n}":1' for n in range(21)) + "}",
    ):
        with pytest.raises(msgspec.DecodeError):
            outcomes(model, b'{"labels":[{"prediction_id":"c","kpis":%b}]}' % wrong.encode())


def test_refusals_are_counted_and_logged_when_the_log_can_be_written(model):
    predict(model, {"records": [RECORD], "event_time": "2013-05-01T12:00:00Z"})
    for _ in range(1000):
        model.refusals.count(ContractError("must be a number", "a", 0), "shop")
    model.refusals.count(ContractError("is not a column", "drop table log", 0), "shop")
    model.refusals.count(Refusal(429, "no place"), "")
    model.refusals.count(Refusal(401, "who are you"), "")
    for number in range(500):
        model.refusals.count(ContractError("must be a number", "b", 0), f"caller {number}")
    kept = os.dup(model.log._file)
    os.dup2(os.open("/dev/full", os.O_WRONLY), model.log._file)
    model.tick()
    os.dup2(kept, model.log._file)
    model.tick()
    with open_log("small") as log:
        query = "select status, feature, sum(requests)::int from log where kind = 'refused' group by all order by all"
        assert log.sql(query).fetchall() == [(422, "", 404), (422, "a", 1000), (422, "b", 97), (429, "", 1)]
        query = "select count(*)::int, max(event_time)::date::varchar from log where kind = 'refused'"
        assert log.sql(query).fetchall() == [(101, "2013-05-01")]
    model.tick()
    with open_log("small") as log:
        assert log.sql("select count(*) from log where kind = 'refused'").fetchall() == [(101,)]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"])
def test_an_event_at_the_end_of_the_calendar_does_not_keep_refusals_from_the_log(model, moment):
    predict(model, {"records": [RECORD], "event_time": moment})
    model.refusals.count(ContractError("must be a number", "a", 0), "")
    model.tick()
    with open_log("small") as log:
        assert log.sql("select requests::int from log where kind = 'refused'").fetchall() == [(1,)]


def test_a_broken_log_answers_nothing(model):
    os.dup2(os.open("/dev/full", os.O_WRONLY), model.log._file)
    with pytest.raises(Refusal, match="No space left") as caught:
        predict(model, {"records": [RECORD]})
    assert caught.value.status == 503


def test_slices_of_a_large_request_are_cached_apart(bundle_folder, home):
    import asyncio

    from serving.scoring.batcher import SLICE_ROWS, Batcher

    records = [{**RECORD, "a": number / 100} for number in range(3 * SLICE_ROWS)]
    answers = []
    for size, times in ((0, 1), (8, 2)):
        served = cached_model(bundle_folder, size)
        for _ in range(times):
            job = Native(served).read(json.dumps({"records": records}).encode())
            job.digest = "same"
            asyncio.run(Batcher(served.score).submit(job))
            answers.append(job.outputs)
        assert ('found="yes"} 3.0' in served.metrics.text().decode()) == (times == 2)
    assert answers[0] == answers[1] == answers[2]


def cached_model(bundle_folder, cache_size):
    from configs.settings import prediction_log
    from serving.log.writer import PredictionLog
    from serving.scoring.bundle import read_bundle
    from serving.scoring.model import Identity, ServedModel

    log = PredictionLog(prediction_log("small"))
    return ServedModel(read_bundle(bundle_folder), Identity("1", "r"), log, cache_size=cache_size)


def test_the_cache_answers_the_same_request_again_and_logs_it(bundle_folder, home):
    cached = cached_model(bundle_folder, 2)
    native, answers = Native(cached), []
    for digest, record in [("x", RECORD), ("x", RECORD), ("y", {**RECORD, "a": -1}), ("z", RECORD), ("x", RECORD)]:
        job = native.read(json.dumps({"records": [record]}).encode())
        job.digest = digest
        answers.append(json.loads(native.write(scored(cached, job)))["predictions"][0]["probabilities"])
    assert answers[0] == answers[1] == answers[4] != answers[2]
    text = cached.metrics.text().decode()
    assert 'slipway_cache_lookups_total{found="yes"} 1.0' in text
    assert 'slipway_cache_lookups_total{found="no"} 4.0' in text
    with open_log("small") as log:
        assert log.execute("select count(*) from log").fetchone() == (5,)


def test_the_log_says_which_row_of_its_request_a_record_is(model):
    """So requests can be counted; a request of one row costs no byte for it."""
    from tasks.log.read import open_log

    predict(model, {"records": [RECORD] * 3})
    predict(model, {"records": [RECORD]})
    with open_log("small") as log:
        assert log.sql("select place from log order by place nulls first").fetchall() == [(None,), (None,), (1,), (2,)]
