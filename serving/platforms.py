"""What a server is told by where it runs: environment variables, and the customs of Vertex AI, SageMaker and AWS Lambda.

They start the image by themselves: Vertex AI with `AIP_` variables, SageMaker with the argument `serve`, Lambda with the
address of its runtime. None mounts a folder for a log, and the first two ask who comes before they let a request through.

References: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements,
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from serving.log.s3 import BUCKETS, Bucket

LAMBDA = "AWS Lambda"
KINDS = {int: "a whole number", float: "a number"}


def from_environment(variable: str, kind: Callable[[str], Any] = str, choices: Collection[str] | None = None) -> Any:
    """The value of a variable, or None where it is not set or empty.

    Raises:
        ValueError: it is none of the choices, or no number where one is needed.
    """
    text = os.environ.get(variable, "")
    if not text:
        return None
    if choices is not None and text not in choices:
        raise ValueError(f"{variable} {text!r}: must be one of {', '.join(choices)}")
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{variable} {text!r}: must be {KINDS.get(kind, 'another value')}") from None  # type: ignore[call-overload]


def platform(command: str | None, environment: Mapping[str, str]) -> str:
    """Whose container this is; "" where it is nobody's.

    >>> platform("serve", {}), platform(None, {"AIP_HTTP_PORT": "8080"}), platform(None, {})
    ('SageMaker', 'Vertex AI', '')
    """
    if environment.get("AWS_LAMBDA_RUNTIME_API"):
        return LAMBDA
    return "Vertex AI" if environment.get("AIP_HTTP_PORT") else "SageMaker" if command == "serve" else ""


def platform_port(default: int) -> int:
    """The port that a platform wants.

    Raises:
        ValueError: its variable is no number.
    """
    found = (from_environment(variable, int) for variable in ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT"))
    return next((port for port in found if port is not None), default)


def log_place(place: str, managed: str) -> str:
    """The folder, once something was written into it; or the bucket, whose URL is checked and which is asked later.

    A platform's container loses what it wrote when it ends, wherever that lay; so there, another folder of the container is
    as good where this one cannot be written, and it is told.

    Raises:
        ValueError: it cannot be written, or is no bucket's URL.
    """
    if place.startswith(BUCKETS):
        Bucket(place)
        return place
    folder = Path(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return place
    except OSError as error:
        if managed in ("", LAMBDA):  # a function has a bucket
            raise ValueError(f"--log {folder}: cannot be written ({error.strerror})") from None
    try:
        found = tempfile.mkdtemp(prefix="slipway-log-")
    except OSError as error:
        raise ValueError(
            f"--log {folder}: cannot be written, nor any folder for temporary files ({error.strerror})"
        ) from None
    print(
        f"warning: {folder} cannot be written, so the prediction log lies in {found} and ends with this container",
        file=sys.stderr,
    )
    return found
