"""The gateway: Traefik's file provider, one file a use case, replaced atomically and read again at once.

Every use case is reached at `/NAME/...` of one address that never changes. A candidate that gets no traffic yet is reached
there too, by those who name it in the header `X-Slipway-Release`.
"""

from __future__ import annotations

import hashlib
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
ROUTE, CANDIDATE = "X-Slipway-Route", "X-Slipway-Release"
# Traefik takes memory of this size for every request that it may have to send again; larger ones have another route.
RETRIED_BYTES = 16384
LARGE = "HeaderRegexp(`Content-Length`, `^(1[6-9][0-9]{3}|[2-9][0-9]{4}|[0-9]{6,})$`)"


class NotSwitched(CheckFailed):
    """The gateway did not take the new route in time."""


def route(use_case: str, addresses: list[str], candidate: Release | None = None) -> None:
    """Send the use case's requests to these servers; returns when the gateway does so.

    Raises:
        NotSwitched: it still does as before after the time limit.
    """
    content = render(use_case, addresses, candidate)
    write_atomically(_file(use_case), json.dumps(content, indent=1).encode())
    probes: list[dict[str, str]] = [{}] * bool(addresses)
    if candidate:
        probes.append({CANDIDATE: candidate.name})
    deadline, answer = time.monotonic() + SWITCH_SECONDS, "nothing"
    while time.monotonic() < deadline:
        try:
            responses = [httpx.get(f"{address(use_case)}/readyz", headers=probe, timeout=2) for probe in probes]
            answer = ", ".join(f"status {response.status_code}" for response in responses)
            if all(response.headers.get(ROUTE) == _mark(content) for response in responses):
                return
        except httpx.TransportError as error:
            answer = type(error).__name__
        time.sleep(0.05)
    raise NotSwitched(f"the gateway did not take the new route of {use_case} within {SWITCH_SECONDS} s; it answers {answer}")


def render(use_case: str, addresses: list[str], candidate: Release | None = None) -> dict[str, Any]:
    """The use case's part of Traefik's dynamic configuration; every answer carries its digest as `X-Slipway-Route`."""
    routers, services = {}, {}
    parts = [(use_case, addresses, "", 10)] * bool(addresses)
    if candidate is not None:
        parts.append((f"{use_case}-candidate", candidate.addresses, f" && Header(`{CANDIDATE}`, `{candidate.name}`)", 30))
    for name, servers, only, priority in parts:
        small, large = (f"{use_case}-{kind}" for kind in ("small", "large"))
        prefix, shared = f"PathPrefix(`/{use_case}/`){only}", [f"{use_case}-strip", f"{use_case}-mark"]
        routers[name] = {"rule": prefix, "priority": priority, "service": name, "middlewares": [*shared, small]}
        rule = f"{prefix} && {LARGE}"
        routers[f"{name}-large"] = {
            "rule": rule,
            "priority": priority + 10,
            "service": name,
            "middlewares": [*shared, large],
        }
        services[name] = {"loadBalancer": _balancer(servers)}
    # A request that met a dead server goes to another one at once, or waits up to about 4 s until the only one is back: the
    # interval grows by half with each attempt.
    attempts, interval = (6, "20ms") if len(addresses) > 1 else (10, "50ms")
    retry = {"attempts": attempts, "initialInterval": interval, "retryNonIdempotentMethod": True}
    middlewares = {
        f"{use_case}-strip": {"stripPrefix": {"prefixes": [f"/{use_case}"]}},
        f"{use_case}-small": {"retry": {**retry, "status": ["502"], "maxRequestBodyBytes": RETRIED_BYTES}},
        f"{use_case}-large": {"retry": retry},
    }
    content: dict[str, Any] = {"http": {"routers": routers, "middlewares": middlewares, "services": services}}
    mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    middlewares[f"{use_case}-mark"] = {"headers": {"customResponseHeaders": {ROUTE: mark}}}
    return content


def _balancer(servers: list[str]) -> dict[str, Any]:
    balancer: dict[str, Any] = {"servers": [{"url": url} for url in servers]}
    if len(servers) > 1:  # a lone server that failed once must not be shut out: there is nobody else
        balancer["passiveHealthCheck"] = {"failureWindow": "1s", "maxFailedAttempts": 1}
    return balancer


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


def routed(use_case: str) -> list[str]:
    """The servers that the gateway sends the use case's requests to, sorted."""
    if not _file(use_case).exists():
        return []
    services = json.loads(_file(use_case).read_text())["http"]["services"]
    return sorted(
        server["url"] for server in services.get(use_case, {"loadBalancer": {"servers": []}})["loadBalancer"]["servers"]
    )


def routes_folder() -> Path:
    """The folder that Traefik watches."""
    return made(home() / "gateway" / "routes")


def _mark(content: dict[str, Any]) -> str:
    (found,) = (each for name, each in content["http"]["middlewares"].items() if name.endswith("-mark"))
    return str(found["headers"]["customResponseHeaders"][ROUTE])


def _file(use_case: str) -> Path:
    return routes_folder() / f"{use_case}.yml"
