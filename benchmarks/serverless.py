"""How a function starts: Slipway's ZIP file for AWS Lambda beside a bare handler, and beside FastAPI, in the same run.

`python -m benchmarks.serverless PYTHON [PEER]`: an interpreter of the version in `tasks/containers/function.py` that has
`awslambdaric` and nothing else; and one that has `fastapi` and `mangum`, too, where their row is wanted. Each start is a
process of its own, under AWS's runtime client with an emulation of its runtime API: seconds until it asks for its first
event, until that is answered, and milliseconds of an event when warm. The model is the one of `benchmarks.serving`; its log
lies in a folder, or in a bucket of `moto` here. Medians of `STARTS` starts, taken in turn, and of `EVENTS` events each.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.serving.model import build

STARTS, EVENTS = 15, 300
BARE = "def handler(event, context):\n    return {'statusCode': 200, 'body': event['body']}\n"
FASTAPI = """
from fastapi import FastAPI, Request
from mangum import Mangum
app = FastAPI()
@app.post("/predict")
async def predict(request: Request):
    return await request.json()
handler = Mangum(app, lifespan="off")
"""


def main() -> None:
    """Print the table."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    from moto.server import ThreadedMotoServer

    from tasks.containers.function import zip_function

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = build(root / "home")
        size = zip_function(model.bundle, root / "function.zip", print)
        zipped = (root / "function.zip").stat().st_size
        with zipfile.ZipFile(root / "function.zip") as archive:
            archive.extractall(root / "task")
        bucket = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        bucket.start()
        ways = _ways(root, sys.argv[1], sys.argv[2:], "http://{}:{}".format(*bucket.get_host_and_port()))
        event = _event(json.dumps({"records": [model.rows[0]]}))
        print(f"{zipped / 2**20:.1f} MiB zipped, {size / 2**20:.0f} MiB unpacked\n")
        print("| function | asks for its first event, s | first answer, s | warm, ms |\n|---|---|---|---|")
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
        for _ in range(STARTS):
            for name, way in ways.items():
                found[name].append(_measured(event, **way))
        for name, times in found.items():
            asks, first, warm = (statistics.median(each) for each in zip(*times, strict=True))
            print(f"| {name} | {asks:.3f} | {first:.3f} | {1000 * warm:.2f} |")
        bucket.stop()


def _ways(root: Path, python: str, peers: list[str], endpoint: str) -> dict[str, dict[str, Any]]:
    """By name, how each function is started."""
    for name, text in (("bare", BARE), ("fast", FASTAPI)):
        (root / f"{name}.py").write_text(text)
    slipway = {"python": python, "cwd": root / "task", "PYTHONPATH": str(root / "task"), "SLIPWAY_LOG_PEPPER": "p"}
    slipway["SLIPWAY_AUTH"] = "off"
    slipway["SLIPWAY_BUNDLE"] = str(root / "task" / "bundle")
    known = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    _make_bucket(known)
    other: dict[str, Any] = {"cwd": root, "PYTHONPATH": str(root)}
    return {
        "a bare handler": {"handler": "bare.handler", "python": python, **other},
        **({"FastAPI with Mangum, no model": {"handler": "fast.handler", "python": peers[0], **other}} if peers else {}),
        "Slipway, log in a folder": {**slipway, "SLIPWAY_LOG": str(root / "log")},
        "Slipway, log in a bucket": {**slipway, **known, "SLIPWAY_LOG": "s3://logs/flights"},
    }


def _make_bucket(known: dict[str, str]) -> None:
    import boto3

    given = {"aws_access_key_id": known["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": known["AWS_SECRET_ACCESS_KEY"]}
    client = boto3.client("s3", endpoint_url=known["AWS_ENDPOINT_URL"], region_name=known["AWS_REGION"], **given)
    client.create_bucket(Bucket="logs")


def _event(body: str) -> dict[str, Any]:
    from tests.unit.lambda_events import http_api

    return http_api("POST", "/predict", body) | {"requestContext": _CONTEXT}


_CONTEXT = {
    "stage": "$default",
    "http": {"method": "POST", "path": "/predict", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
}


def _measured(event: dict[str, Any], **way: Any) -> tuple[float, float, float]:
    from tests.lambda_runtime import Runtime

    with Runtime(**way) as runtime:
        asks = runtime.is_ready()
        what, answer = runtime.ask(event)
        first = time.perf_counter() - runtime.began
        assert (what, answer["statusCode"]) == ("response", 200), answer
        began = time.perf_counter()
        for _ in range(EVENTS):
            runtime.ask(event)
        return asks, first, (time.perf_counter() - began) / EVENTS


if __name__ == "__main__":
    main()
