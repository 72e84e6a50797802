"""MLflow's scoring protocol: a stand-in for `mlflow models serve`, and for SageMaker's and Vertex AI's containers.

`POST /invocations` takes `dataframe_split`, `dataframe_records`, `instances` or `inputs` as JSON, or CSV with a header, and
answers `{"predictions": [...]}`: the classes or numbers, or of classes with `"params": {"predict_fn": "predict_proba"}` a
list of probabilities for each row. With `"explain": true` there `reasons` stand beside them, as a native answer has them.
Vertex AI's name for `params` is `parameters`.

Specification: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally
"""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import Any

import msgspec

from serving.contract.contract import ContractError, Fault
from serving.contract.records import in_slices, json_list
from serving.protocols.tensors import wants_reasons
from serving.refusal import Refusal, too_many_rows
from serving.scoring.job import Job
from serving.scoring.model import ServedModel

PREDICT = "predict"
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_encode = msgspec.json.Encoder().encode
_pieces = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


class _Split(msgspec.Struct):
    columns: list[str]
    data: list[msgspec.Raw]


class MlflowScoring:
    """Reads and writes `/invocations`."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def read(self, body: bytes, content_type: str) -> tuple[Job, str]:
        """The job of a body, and which of the head's functions is asked for.

        Raises:
            Refusal: 415, a content type that is neither JSON nor CSV in UTF-8.
            ContractError: naming every fault.
            msgspec.DecodeError: it is not JSON.
        """
        mime, _, parameters = (part.strip().lower() for part in content_type.partition(";"))
        if parameters.replace('"', "").replace(" ", "") not in ("", "charset=utf-8", "charset=utf8"):
            raise Refusal(415, f"content type parameters {parameters[:60]!r}; only charset=utf-8 is taken")
        if mime == "text/csv":
            return self._job(self._csv(body)), PREDICT
        if mime not in ("", "application/json"):
            raise Refusal(415, f"content type {mime[:60]!r}; send application/json or text/csv")
        self._model.check_items(body)
        try:
            content = _pieces.decode(body)
        except msgspec.ValidationError:
            content = {}
        given = [key for key in FORMATS if key in content]
        if len(given) != 1:
            raise ContractError(f"the body must be an object with one of {', '.join(FORMATS)}")
        stray = sorted(content.keys() - {given[0], "params", "parameters"})
        if stray:
            raise ContractError(f"key {stray[0][:40]!r} is not one of {given[0]}, params")
        asked = [msgspec.json.decode(content[key]) for key in ("params", "parameters") if key in content]
        params: Any = next((each for each in asked if each is not None), {})
        function = self._function(params)
        job = self._job(self._rows(given[0], content[given[0]]))
        if wants_reasons(params):
            self._model.explain(job)
        return job, function

    def write(self, job: Job, function: str) -> bytes:
        """The answer."""
        reasons = {"reasons": job.reasons} if job.explain else {}
        return _encode({"predictions": self._model.head.functions[function](job.answers, job.outputs), **reasons})

    def _function(self, asked: Any) -> str:
        if not isinstance(asked, dict):
            raise ContractError("params must be an object")
        wanted, known = asked.get("predict_fn", PREDICT), self._model.head.functions
        if not isinstance(wanted, str) or wanted not in known:
            raise ContractError(f"params.predict_fn {str(wanted)[:40]!r} is not one of {', '.join(known)}")
        return wanted

    def _job(self, records: list[Any]) -> Job:
        if not records:
            raise ContractError("there is no row to score")
        return Job(records)

    def _rows(self, form: str, content: msgspec.Raw) -> list[Any]:
        """Typed records of one of the JSON formats; a list of records is the same in three of them."""
        records, kind = self._model.records, bytes(content).lstrip()[:1]
        if form == "dataframe_split":
            return self._split(content)
        if form == "inputs" and kind == b"{":
            table = _columns(content)
            self._model.check_size(len(table))
            return records.convert(table)
        if kind != b"[":
            raise ContractError(f"{form} must be a list of objects with one field a column")
        raws = _list.decode(content)
        self._model.check_size(len(raws))
        return records.read(raws)

    def _split(self, content: msgspec.Raw) -> list[Any]:
        try:
            frame = msgspec.json.decode(content, type=_Split)
        except msgspec.ValidationError as error:
            raise ContractError(
                f"dataframe_split needs a list of names in 'columns' and of rows in 'data': {error}"
            ) from None
        columns, rows = frame.columns, frame.data
        _once(columns)
        self._model.check_size(len(rows))

        def read(cut: slice) -> list[Any]:
            lists = msgspec.json.decode(json_list(rows[cut]))
            for number, row in enumerate(lists):
                if not isinstance(row, list) or len(row) != len(columns):
                    raise ContractError(f"must be a list of {len(columns)} values", None, number)
            return self._model.records.convert([dict(zip(columns, row, strict=True)) for row in lists])

        return in_slices(len(rows), read)

    def _csv(self, body: bytes) -> list[Any]:
        try:
            lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
            header = next(lines, [])
            rows = list(islice((line for line in lines if line), self._model.request_rows + 1))
        except UnicodeDecodeError:
            raise ContractError("the CSV is not UTF-8") from None
        except csv.Error as error:
            raise ContractError(f"the CSV cannot be read: {error}") from None
        if len(rows) > self._model.request_rows:
            raise too_many_rows(None, self._model.request_rows)
        _once(header)
        columns = {column.name: column.from_csv for column in self._model.contract.columns}
        readers = [columns.get(name, _subject) for name in header]

        def read(cut: slice) -> list[Any]:
            found = [_fields(header, readers, row, number) for number, row in enumerate(rows[cut])]
            faults = [fault for _, several in found for fault in several]
            if faults:
                raise ContractError.of(faults)
            return self._model.records.convert([record for record, _ in found])

        return in_slices(len(rows), read)


def _once(columns: list[str]) -> None:
    """Raise where two columns have one name, since only one of them would be scored."""
    for name in columns:
        if columns.count(name) > 1:
            raise ContractError("is there twice", name)


def _subject(text: str) -> str | None:
    """A field that is no column of the model: an identifier, or a fault that the contract names."""
    return text or None


def _fields(header: list[str], readers: list[Any], row: list[str], number: int) -> tuple[dict[str, Any], list[Fault]]:
    """A line as a record, and what is wrong with it."""
    if len(row) != len(header):
        return {}, [Fault(f"has {len(row)} fields where the header has {len(header)}", None, number)]
    record: dict[str, Any] = {}
    faults = []
    for name, read, text in zip(header, readers, row, strict=True):
        try:
            record[name] = read(text)
        except ValueError:
            faults.append(Fault(f"must be a number, found {text[:40]!r}", name, number))
    return record, faults


def error_body(problem: str) -> bytes:
    """An error as MLflow's server spells it."""
    return _encode({"error_code": "BAD_REQUEST", "message": problem})


def _columns(content: msgspec.Raw) -> list[dict[str, Any]]:
    """A list of values a column, as records."""
    lists = {name: msgspec.json.decode(values) for name, values in _pieces.decode(content).items()}
    lists = {name: values if isinstance(values, list) else [values] for name, values in lists.items()}
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ContractError(f"columns differ in their number of rows: {lengths}")
    flat = [[v[0] if isinstance(v, list) and len(v) == 1 else v for v in values] for values in lists.values()]
    return [dict(zip(lists, row, strict=True)) for row in zip(*flat, strict=True)]
