"""A use case's traffic plan as a part of Traefik's dynamic configuration."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tasks.routing.values import TrafficPlan

ROUTE, CANDIDATE = "X-Slipway-Route", "X-Slipway-Release"
# Traefik takes memory of this size for every request that it may have to send again; larger ones have another route.
RETRIED_BYTES = 16384
LARGE = "HeaderRegexp(`Content-Length`, `^(1[6-9][0-9]{3}|[2-9][0-9]{4}|[0-9]{6,})$`)"


def render(use_case: str, plan: TrafficPlan) -> dict[str, Any]:
    """The use case's part; every answer carries its digest as `X-Slipway-Route`.

    Names are joined by a dot, which no use case's name has: parts of two use cases cannot meet.
    """
    routers, services = {}, {}
    addresses, candidate = list(plan.addresses), plan.candidate
    parts = [(use_case, addresses, "", 10)] * bool(addresses)
    if candidate is not None:
        only = f" && Header(`{CANDIDATE}`, `{candidate.release}`)"
        parts.append((f"{use_case}.candidate", list(candidate.addresses), only, 30))
    for name, servers, only, priority in parts:
        prefix, shared = f"PathPrefix(`/{use_case}/`){only}", [f"{use_case}.strip", f"{use_case}.mark"]
        routers[name] = {
            "rule": prefix,
            "priority": priority,
            "service": name,
            "middlewares": [*shared, f"{use_case}.cut", f"{use_case}.small"],
        }
        rule = f"{prefix} && {LARGE}"
        routers[f"{name}.large"] = {
            "rule": rule,
            "priority": priority + 10,
            "service": name,
            "middlewares": [*shared, f"{use_case}.large"],
        }
        # Whether it is ready is told as it is now: who asks for that, does the waiting.
        rule = f"{prefix} && Path(`/{use_case}/readyz`)"
        routers[f"{name}.ready"] = {"rule": rule, "priority": priority + 15, "service": name, "middlewares": shared}
        services[name] = {"loadBalancer": _balancer(servers)}
    # A request that met a dead server goes to another one at once, or waits for about 8 s until the only one is back.
    attempts, interval = (6, "20ms") if len(addresses) > 1 else (60, "100ms")
    retry = {"attempts": attempts, "initialInterval": interval, "retryNonIdempotentMethod": True}
    kept = {"maxRequestBodyBytes": RETRIED_BYTES}
    # Traefik says 502 where a server is gone, and 500 where it went in the middle of an answer. A server that fails at a
    # request says that too, so such a one is asked three times only. (Where it has no Content-Length, Traefik 3.7 tells a
    # 500 that was asked for again as 200; every answer of the server has one.)
    cut = {"attempts": 3, "initialInterval": "50ms", "retryNonIdempotentMethod": True, "disableRetryOnNetworkError": True}
    middlewares = {
        f"{use_case}.strip": {"stripPrefix": {"prefixes": [f"/{use_case}"]}},
        f"{use_case}.cut": {"retry": {**cut, "status": ["500"], **kept}},
        f"{use_case}.small": {"retry": {**retry, "status": ["502"], **kept}},
        f"{use_case}.large": {"retry": retry},
    }
    content: dict[str, Any] = {"http": {"routers": routers, "middlewares": middlewares, "services": services}}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    middlewares[f"{use_case}.mark"] = {"headers": {"customResponseHeaders": {ROUTE: digest}}}
    return content


def mark(use_case: str, content: dict[str, Any]) -> str:
    """What answers carry once the gateway has taken this content."""
    return str(content["http"]["middlewares"][f"{use_case}.mark"]["headers"]["customResponseHeaders"][ROUTE])


def _balancer(servers: list[str]) -> dict[str, Any]:
    balancer: dict[str, Any] = {"servers": [{"url": url} for url in servers]}
    if len(servers) > 1:  # a lone server that failed once must not be shut out: there is nobody else
        balancer["passiveHealthCheck"] = {"failureWindow": "1s", "maxFailedAttempts": 1}
    return balancer
