"""What makes a task resumable: its result is kept under the hash of its inputs and of the code that made it.

A run that was killed and is started again finds every finished step by content, whatever run made it, and goes on behind
it: nothing is trained twice. Inputs are small values (digests, configuration), so the key is cheap and exact. The code is
that of the step's module and of what it imports, so an edited gate trains nothing again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.context import TaskRunContext
from prefect.serializers import JSONSerializer
from pydantic_core import to_jsonable_python

from tasks.code import CODE, ENVIRONMENT

P = ParamSpec("P")
R = TypeVar("R")


def step(function: Callable[P, R]) -> Task[P, R]:
    """A Prefect task whose result is persisted by content. For steps that change nothing outside the store."""
    kept = task(name=function.__name__, cache_key_fn=content_key, persist_result=True, result_serializer=JSONSerializer())
    return kept(function)


def content_key(context: TaskRunContext, inputs: dict[str, Any]) -> str:
    """`NAME-SHA256` over the inputs' canonical JSON, the code that the step runs, Python and the installed packages."""
    canonical = json.dumps(to_jsonable_python(inputs), sort_keys=True)
    code = CODE.digest(context.task.fn.__module__)
    digest = hashlib.sha256(f"{code}\n{ENVIRONMENT}\n{canonical}".encode()).hexdigest()
    return f"{context.task.name}-{digest}"
