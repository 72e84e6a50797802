"""The OpenAPI 3.1 document, generated from the contract."""

from __future__ import annotations

from typing import Any, get_args

from serving.contract.contract import Column, Contract
from serving.contract.heads.head import Head
from serving.protocols import open_inference
from serving.protocols.tensors import DATATYPES, reasons_name
from serving.reasons.scale import Scale
from serving.scoring.model import EXPLAINED, KPI_NAME, MOST_KPIS, SERVICE_KPIS, ServedModel

JSON = "application/json"
KPIS = {
    "type": "object",
    "description": "numbers that came of it, by name",
    "minProperties": 1,
    "propertyNames": {"pattern": KPI_NAME, "not": {"enum": sorted(SERVICE_KPIS)}},
    "additionalProperties": {"type": "number", "minimum": -1e300, "maximum": 1e300},
    "maxProperties": MOST_KPIS,
}


def openapi(model: ServedModel, authenticated: bool = False) -> dict[str, Any]:
    """The document, as JSON has it (https://spec.openapis.org/oas/v3.1.0)."""
    contract, paths = model.contract, open_inference.names(model)
    infer = _post("infer", "Open Inference Protocol v2: named tensors", "InferRequest", "InferResponse", (400,))
    infer["requestBody"]["content"][JSON]["example"] = _infer_example(contract)
    predict = _post("predict", "Score records by name, one or many", "PredictRequest", "PredictResponse", (400, 422))
    predict["requestBody"]["content"][JSON]["example"] = {"records": [example(contract)]}
    invocations = _post("invocations", "MLflow's scoring protocol", "Invocations", "InvocationsResponse", (400,))
    invocations["requestBody"]["content"][JSON]["example"] = {"dataframe_records": [example(contract)]}
    invocations["requestBody"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    feedback = _post("feedback", "Say what turned out to be true", "FeedbackRequest", "Accepted", (400, 422))
    label = {"prediction_id": "0123456789abcdef", "label": model.head.example, "kpis": {"minutes": 12.5}}
    feedback["requestBody"]["content"][JSON]["example"] = {"labels": [label]}
    told = (model.explains, model.codes, model.always_explains)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": contract.use_case,
            "version": model.identity.version,
            "description": f"Predicts `{contract.target}`. Release `{model.identity.release}`.",
        },
        "servers": [{"url": "."}],  # relative to this document, so it is right behind a gateway too
        "paths": {
            "/predict": {"post": predict},
            "/feedback": {"post": feedback},
            "/invocations": {"post": invocations},
            f"{paths['model']}/infer": {"post": infer},
            paths["model"]: {"get": _get("metadata", "The contract as tensors")},
            "/readyz": {"get": _get("ready", "Which bundle, version and release answer")},
        },
        "components": {"schemas": _schemas(contract, model.head, model.request_rows, *told)},
    }
    if authenticated:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
        document["paths"]["/readyz"]["get"]["security"] = []
    return document


def example(contract: Contract) -> dict[str, Any]:
    """A record that the model answers: the middle of what training showed.

    >>> example(Contract("demo", (Column("size", "numeric", low=1, high=2),), "y", (0, 1)))
    {'size': 1.5}
    """
    return {column.name: column.its.example(column) for column in contract.columns}


def _schemas(
    contract: Contract, head: Head, most: int, explains: bool, codes: bool = False, always: bool = False
) -> dict[str, Any]:
    record = {
        "type": "object",
        "properties": {column.name: _schema(column) for column in contract.columns}
        | {name: {"type": ["string", "integer", "null"]} for name in contract.identifiers},
        "required": [column.name for column in contract.columns if not column.nullable],
        "additionalProperties": False,
    }
    prediction_id = {"type": "string", "minLength": 1, "maxLength": 100}
    label, said = head.schemas.label, head.schemas.answer
    text, ref = {"type": "string"}, {"$ref": "#/components/schemas/Record"}
    rows = {"type": "array", "items": ref, "minItems": 1, "maxItems": most}
    fault = {"problem": text, "column": text, "row": {"type": "integer"}}
    tensor = {
        "name": {"enum": [*contract.names, *contract.identifiers]},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"enum": list(DATATYPES)},
        "data": {"type": "array"},
        "parameters": {"type": ["object", "null"]},
    }
    asked, reasons = _reasons(contract, codes) if explains else ({}, {})
    named = [*(each.name for each in head.tensors), *[reasons_name(contract)] * explains]
    output = {"name": {"enum": named}, "parameters": {"type": ["object", "null"]}}
    params = {"type": ["object", "null"], "properties": asked}
    answer = _object({"prediction_id": prediction_id, **said, **reasons}, ["prediction_id", *said])
    return {
        "Record": record,
        "PredictRequest": _object(
            {
                "records": rows,
                "event_time": {"type": ["string", "null"], "format": "date-time"},
                "prediction_ids": {
                    "type": ["array", "null"],
                    "items": prediction_id,
                    "uniqueItems": True,
                    "description": "one a record",
                },
                **head.schemas.request,
                **{name: {**said, "default": always} for name, said in asked.items()},
            },
            ["records"],
            closed=True,
        ),
        "PredictResponse": _object(
            {"model": text, "version": text, "release": text, "predictions": {"type": "array", "items": answer}},
            ["model", "version", "release", "predictions"],
        ),
        "FeedbackRequest": _object(
            {
                "labels": {
                    "type": "array",
                    "maxItems": most,
                    "items": {
                        **_object(
                            {"prediction_id": prediction_id, "label": label, "kpis": KPIS}, ["prediction_id"], closed=True
                        ),
                        "anyOf": [{"required": ["label"]}, {"required": ["kpis"]}],
                    },
                }
            },
            ["labels"],
            closed=True,
        ),
        "Accepted": _object({"accepted": {"type": "integer"}}, ["accepted"]),
        "InferRequest": _object(
            {
                "id": {"type": ["string", "null"]},
                "parameters": params,
                "inputs": {"type": "array", "items": _object(tensor, ["name", "shape", "datatype", "data"])},
                "outputs": {"type": ["array", "null"], "items": _object(output, ["name"])},
            },
            ["inputs"],
        ),
        "InferResponse": _object(
            {"model_name": text, "model_version": text, "outputs": {"type": "array", "items": {"type": "object"}}},
            ["model_name", "model_version", "outputs"],
        ),
        "Invocations": {
            "type": "object",
            "oneOf": [
                _object({"dataframe_records": rows, "params": params}, ["dataframe_records"]),
                _object({"instances": rows, "params": params}, ["instances"]),
                _object({"inputs": rows, "params": params}, ["inputs"]),
                _object({"dataframe_split": {"type": "object"}, "params": params}, ["dataframe_split"]),
            ],
        },
        "InvocationsResponse": _object(
            {"predictions": {"type": "array"}, **{name: {"type": "array", "items": one} for name, one in reasons.items()}},
            ["predictions"],
        ),
        "Error": _object(
            {
                "error": text,
                "message": text,
                "column": text,
                "row": {"type": "integer"},
                "faults": {"type": "array", "items": _object(fault, ["problem"])},
            },
            [],
        ),
    }


def _reasons(contract: Contract, codes: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a request says to get reasons, and what its answers then hold."""
    number = {"type": "number"}
    told = {
        "class": {"enum": list(contract.classes), "description": "which class's number is explained"},
        "scale": {"enum": list(get_args(Scale)), "description": "what base and contributions add up to"},
        "base": {**number, "description": "the mean over the rows that the model learned from"},
        "contributions": {
            "type": "object",
            "description": "what each column added, as Shapley values; those that added most first",
            "properties": dict.fromkeys(contract.names, number),
            "required": list(contract.names),
        },
    }
    if not contract.classes:
        del told["class"]
    if codes:
        told["codes"] = _codes(contract)
    wanted = {
        "type": "boolean",
        "default": False,
        "description": f"whether answers come with reasons; of at most {EXPLAINED:,} records",
    }
    null = "where the request wants them; null where another release answered"
    return {"explain": wanted}, {"reasons": {**_object(told, list(told)), "type": ["object", "null"], "description": null}}


def _codes(contract: Contract) -> dict[str, Any]:
    code = {
        "columns": {"type": "array", "items": {"enum": list(contract.names)}, "minItems": 1},
        "says": {"type": "string"},
        "moved": {"type": "number", "exclusiveMinimum": 0, "description": "by how much, as contributions are counted"},
        "protected": {"const": True, "description": "there where the column is protected, or a declared proxy of such"},
    }
    told = "in words what moved the answer towards the unfavourable side, the largest first"
    return {"type": "array", "items": _object(code, ["columns", "says", "moved"], closed=True), "description": told}


def _schema(column: Column) -> dict[str, Any]:
    schema = column.its.schema(column)
    if not column.nullable:
        return schema
    key = "enum" if "enum" in schema else "type"
    return {**schema, key: [*schema[key], None if key == "enum" else "null"]}


def _object(properties: dict[str, Any], required: list[str], closed: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    return {**schema, "additionalProperties": False} if closed else schema


def _post(name: str, summary: str, request: str, answer: str, faults: tuple[int, ...]) -> dict[str, Any]:
    said = {
        400: "Not JSON, or not what the protocol says",
        401: "No valid key",
        403: "The key has not the role",
        408: "The body took too long",
        413: "The body is too large, or holds too many rows",
        415: "The content type is not taken",
        422: "Against the contract; every fault is named",
        429: "Too busy, or over the key's rate; see Retry-After",
        503: "The prediction log cannot be written",
        504: "The client's deadline passed",
    }
    error = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    failures = {str(code): {"description": said[code], "content": error} for code in said if code not in (400, 422)}
    failures |= {str(code): {"description": said[code], "content": error} for code in faults}
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{request}"}}}},
        "responses": {
            "200": {"description": "Done", "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{answer}"}}}},
            **dict(sorted(failures.items())),
        },
    }


def _get(name: str, summary: str) -> dict[str, Any]:
    answer = {"description": "Done", "content": {JSON: {"schema": {"type": "object"}}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answer}}


def _infer_example(contract: Contract) -> dict[str, Any]:
    return {
        "inputs": [
            {
                "name": column.name,
                "shape": [1, 1],
                "datatype": column.its.datatype,
                "data": [column.its.example(column)],
            }
            for column in contract.columns
        ]
    }
