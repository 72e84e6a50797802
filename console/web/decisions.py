"""Decisions, for programs: where one answer stands, by its prediction id, for whoever asked for it.

`GET /decisions/{use_case}/{prediction_id}` with `Authorization: Bearer KEY`, a key of the use case's server. It answers what
the webhook of `review` tells, and what `slipway review NAME decision ID --json` prints.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from configs.errors import CheckFailed, InputError
from configs.load import load_use_case, use_case_names
from configs.schema import UseCase
from serving.refusal import Refusal
from serving.security.keys import Guard, KeysError
from tasks.deploying.keys import keys_folder
from tasks.deploying.settings import needs_keys
from tasks.log.erased import Erased
from tasks.people import people, who
from tasks.review.decision import decision, the_prediction
from tasks.review.queue import READERS, standing


async def asked(request: Request) -> JSONResponse:
    """Where it stands, as JSON; an error is `{"error": ...}`, as the server's."""
    name, prediction_id = request.path_params["use_case"], request.path_params["prediction_id"]
    try:
        told = await run_in_threadpool(_told, name, prediction_id, request.headers.get("authorization"))
        return JSONResponse(told, headers={"Cache-Control": "no-store"})
    except Refusal as error:
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
        headers |= {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
        return JSONResponse({"error": error.problem}, error.status, headers)


def _told(name: str, prediction_id: str, authorization: str | None) -> dict[str, Any]:
    """
    Raises:
        Refusal: whoever asks may not, there is no such prediction of theirs, it was erased, or it cannot be said now.
    """
    if name not in use_case_names():
        raise Refusal(404, f"no use case {name[:100]!r}")
    try:
        case = load_use_case(name)
        caller = _caller(case, authorization)
    except (InputError, KeysError) as error:  # of whoever runs this, and nothing that the client can mend
        raise Refusal(503, str(error)) from None
    try:
        asked_by = the_prediction(name, prediction_id).get("caller")
        if caller is not None and caller != asked_by:
            raise Refusal(404, f"no prediction {prediction_id!r} of {caller!r} is in the log of {name}")
        told = decision(case, prediction_id)
        return {**told, **_texts(case, prediction_id, authorization)} if told["state"] == "final" else told
    except Erased as error:
        raise Refusal(410, str(error)) from None
    except CheckFailed as error:
        raise Refusal(503, str(error)) from None
    except InputError as error:
        raise Refusal(404, str(error)) from None


def _caller(case: UseCase, authorization: str | None) -> str | None:
    """Whose predictions may be asked about; None: everybody's.

    Raises:
        Refusal: 401 no key or a wrong one, 429 over the key's rate.
    """
    if not needs_keys(case) and not people():
        return None
    guard = _guard(keys_folder(case.name) / "keys.json")
    guard.tick()
    key = guard.key_of(authorization)
    return None if key.may("admin") or _reads(authorization) else key.name


def _texts(case: UseCase, prediction_id: str, authorization: str | None) -> dict[str, Any]:
    """Who said what in their own words, for people who may read it."""
    if not _reads(authorization):
        return {}
    said = standing(case.name, prediction_id).decisions.get(prediction_id, [])
    return {"decisions": [each.model_dump(mode="json", exclude={"prediction_id", "model_answer"}) for each in said]}


def _reads(authorization: str | None) -> bool:
    """Whether it is the key of a person with a role that reads records; without a table of people nobody's is."""
    if not people():
        return False
    try:
        return bool({*READERS} & {*who((authorization or "").partition(" ")[2]).roles})
    except InputError:  # a program's key, which is nobody's
        return False


@cache
def _guard(path: Path) -> Guard:
    """It counts how often a key asks, and follows the file."""
    return Guard(path)


def routes() -> list[Route]:
    """Where it is."""
    return [Route("/decisions/{use_case}/{prediction_id}", asked)]
