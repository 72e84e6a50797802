"""The gateway: Traefik's file provider, one file a use case, replaced atomically and read again at once.

Every use case is reached at `/NAME/...` of one address that never changes.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx

from configs.errors import CheckFailed
from configs.settings import home, made, service_address
from configs.tls import GatewayTls
from tasks.values import Release, write_atomically

SWITCH_SECONDS = 30


class NotSwitched(CheckFailed):
    """The gateway did not take the new route in time."""


def route(use_case: str, release: Release) -> None:
    """Send the use case's requests to a release; returns when the gateway does so.

    Raises:
        NotSwitched: another release still answers after the time limit.
    """
    write_atomically(_file(use_case), json.dumps(render(use_case, release.address), indent=1).encode())
    deadline, answer = time.monotonic() + SWITCH_SECONDS, "nothing"
    while time.monotonic() < deadline:
        try:
            response = httpx.get(f"{address(use_case)}/readyz", timeout=2)
            answer = response.headers.get("x-slipway-release", f"status {response.status_code}")
            if answer == release.name:
                return
        except httpx.TransportError as error:
            answer = type(error).__name__
        time.sleep(0.05)
    raise NotSwitched(f"the gateway answers {answer} instead of {release.name} after {SWITCH_SECONDS} s")


def render(use_case: str, server: str) -> dict[str, Any]:
    """The use case's part of Traefik's dynamic configuration."""
    return {
        "http": {
            "routers": {
                use_case: {
                    "rule": f"PathPrefix(`/{use_case}/`)",
                    "middlewares": [f"{use_case}-strip", f"{use_case}-retry"],
                    "service": use_case,
                }
            },
            "middlewares": {
                f"{use_case}-strip": {"stripPrefix": {"prefixes": [f"/{use_case}"]}},
                # A server that restarts answers again within these attempts.
                f"{use_case}-retry": {"retry": {"attempts": 6, "initialInterval": "50ms", "retryNonIdempotentMethod": True}},
            },
            "services": {use_case: {"loadBalancer": {"servers": [{"url": server}]}}},
        }
    }


def write_certificates(tls: GatewayTls | None) -> None:
    """Tell Traefik which certificate to show on the TLS address; read again when the file changes."""
    path = routes_folder() / "_tls.yml"
    if tls is None:
        path.unlink(missing_ok=True)
        return
    shown = {"certFile": str(tls.certificate), "keyFile": str(tls.key)}
    content = {"tls": {"stores": {"default": {"defaultCertificate": shown}}}}
    write_atomically(path, json.dumps(content, indent=1).encode())


def address(use_case: str) -> str:
    """Where clients reach the use case."""
    return f"{service_address('gateway')}/{use_case}"


def served_by(use_case: str) -> str | None:
    """The server address that the gateway sends the use case's requests to, if any."""
    if not _file(use_case).exists():
        return None
    services = json.loads(_file(use_case).read_text())["http"]["services"]
    return str(services[use_case]["loadBalancer"]["servers"][0]["url"])


def routes_folder() -> Path:
    """The folder that Traefik watches."""
    return made(home() / "gateway" / "routes")


def _file(use_case: str) -> Path:
    return routes_folder() / f"{use_case}.yml"
