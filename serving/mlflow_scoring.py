"""MLflow's scoring protocol: a stand-in for `mlflow models serve`, and for SageMaker's and Vertex AI's containers.

`POST /invocations` takes `dataframe_split`, `dataframe_records`, `instances` or `inputs` as JSON, or CSV with a header, and
answers `{"predictions": [...]}`: the classes, or with `"params": {"predict_fn": "predict_proba"}` a list of probabilities
for each row. Vertex AI's name for `params` is `parameters`.

Specification: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import msgspec

from serving.contract import ContractError, Fault
from serving.job import Job
from serving.model import ServedModel
from serving.refusal import Refusal

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
# What pandas, and so MLflow, reads from a CSV as missing.
# fmt: off
MISSING = frozenset((
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null",
))
# fmt: on
_encode = msgspec.json.Encoder().encode


class MlflowScoring:
    """Reads and writes `/invocations`."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def read(self, body: bytes, content_type: str) -> tuple[Job, bool]:
        """The job of a body, and whether probabilities are asked for.

        Raises:
            Refusal: 415, a content type that is neither JSON nor CSV in UTF-8.
            ContractError: naming every fault.
            msgspec.DecodeError: it is not JSON.
        """
        mime, _, parameters = (part.strip().lower() for part in content_type.partition(";"))
        if parameters not in ("", "charset=utf-8"):
            raise Refusal(415, f"content type parameters {parameters[:60]!r}; only charset=utf-8 is taken")
        if mime == "text/csv":
            return self._job(self._csv(body)), False
        if mime not in ("", "application/json"):
            raise Refusal(415, f"content type {mime[:60]!r}; send application/json or text/csv")
        content = msgspec.json.decode(body)
        given = [key for key in FORMATS if isinstance(content, dict) and key in content]
        if len(given) != 1:
            raise ContractError(f"the body must be an object with one of {', '.join(FORMATS)}")
        stray = sorted(content.keys() - {given[0], "params", "parameters"})
        if stray:
            raise ContractError(f"key {stray[0][:40]!r} is not one of {given[0]}, params")
        asked = content.get("params") or content.get("parameters") or {}
        return self._job(_records(given[0], content[given[0]])), _probabilities(asked)

    def write(self, job: Job, probabilities: bool) -> bytes:
        """The answer."""
        classes = self._model.contract.classes
        return _encode({"predictions": job.probabilities if probabilities else [classes[best] for best in job.best]})

    def _job(self, records: list[Any]) -> Job:
        if not records:
            raise ContractError("there is no row to score")
        strange = [row for row, record in enumerate(records) if not isinstance(record, Mapping)]
        if strange:
            raise ContractError("must be an object with one field a column", None, strange[0])
        return Job(self._model.records.convert(records))

    def _csv(self, body: bytes) -> list[dict[str, Any]]:
        try:
            lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
            header = next(lines, [])
            rows = [line for line in lines if line]
        except UnicodeDecodeError:
            raise ContractError("the CSV is not UTF-8") from None
        except csv.Error as error:
            raise ContractError(f"the CSV cannot be read: {error}") from None
        numeric = {column.name for column in self._model.contract.columns if column.kind == "numeric"}
        faults, records = [], []
        for number, row in enumerate(rows):
            if len(row) != len(header):
                faults.append(Fault(f"has {len(row)} fields where the header has {len(header)}", None, number))
                continue
            record: dict[str, Any] = {}
            for name, text in zip(header, row, strict=True):
                try:
                    record[name] = None if text in MISSING else float(text) if name in numeric else text
                except ValueError:
                    faults.append(Fault(f"must be a number, found {text[:40]!r}", name, number))
            records.append(record)
        if faults:
            raise ContractError.of(faults)
        return records


def error_body(problem: str) -> bytes:
    """An error as MLflow's server spells it."""
    return _encode({"error_code": "BAD_REQUEST", "message": problem})


def _probabilities(asked: Any) -> bool:
    if not isinstance(asked, dict):
        raise ContractError("params must be an object")
    wanted = asked.get("predict_fn", "predict")
    if wanted not in ("predict", "predict_proba"):
        raise ContractError(f"params.predict_fn {str(wanted)[:40]!r} is not one of predict, predict_proba")
    return bool(wanted == "predict_proba")


def _records(form: str, content: Any) -> list[Any]:
    """The rows as objects."""
    if form == "dataframe_split":
        if not isinstance(content, dict) or not {"columns", "data"} <= content.keys():
            raise ContractError("dataframe_split needs 'columns' and 'data'")
        columns, rows = content["columns"], content["data"]
        if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns) or not isinstance(rows, list):
            raise ContractError("dataframe_split needs a list of names in 'columns' and a list of rows in 'data'")
        wrong = [number for number, row in enumerate(rows) if not isinstance(row, list) or len(row) != len(columns)]
        if wrong:
            raise ContractError(f"must be a list of {len(columns)} values", None, wrong[0])
        return [dict(zip(columns, row, strict=True)) for row in rows]
    if form == "inputs" and isinstance(content, dict):
        lists = {name: values if isinstance(values, list) else [values] for name, values in content.items()}
        lengths = {name: len(values) for name, values in lists.items()}
        if len(set(lengths.values())) > 1:
            raise ContractError(f"columns differ in their number of rows: {lengths}")
        flat = [[v[0] if isinstance(v, list) and len(v) == 1 else v for v in values] for values in lists.values()]
        return [dict(zip(lists, row, strict=True)) for row in zip(*flat, strict=True)]
    if not isinstance(content, list):
        raise ContractError(f"{form} must be a list of objects with one field a column")
    return content
