"""How a server is run: what `python -m serving` takes, and what its workers get of it through the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

VARIABLE = "SLIPWAY_OPTIONS"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a worker needs to know. Times are in seconds."""

    bundle: str
    log: str
    digest: str = ""  # of the bundle that was checked at the start: a worker serves this one, or ends
    public_key: str = ""  # PEM of who must have signed it; "" where nobody must
    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int = 0  # 0: no gRPC
    workers: int = 1
    version: str = "0"
    release: str = ""
    variant: str = "champion"
    keys: str = ""  # the key file; "" lets everybody in
    internal_caller: str = ""  # the key that may say on whose behalf it asks
    tls_certificate: str = ""
    tls_key: str = ""
    queue_rows: int = 512
    request_rows: int = 100_000
    body_bytes: int = 32 * 1024 * 1024
    body_seconds: float = 10.0
    grace_seconds: float = 10.0
    cache: int = 0
    sensitive: Literal["keep", "hash", "omit"] = "hash"
    log_failure: Literal["refuse", "answer"] = "refuse"
    segment_bytes: int = 64 * 1024 * 1024
    segment_seconds: float = 3600.0
    access_log: bool = False
    traffic: str = ""  # the traffic plan's file; "" where no plan can be
    predict_route: str = ""
    health_route: str = ""

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and key, where the server itself speaks TLS."""
        return (Path(self.tls_certificate), Path(self.tls_key)) if self.tls_certificate else None

    def hand_over(self) -> None:
        """Leave the options where a worker process finds them."""
        os.environ[VARIABLE] = msgspec.json.encode(self).decode()


def handed_over() -> Options:
    """The options in a worker process."""
    return msgspec.json.decode(os.environ[VARIABLE], type=Options)
