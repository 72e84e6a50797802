"""The gateway: what a use case's requests are sent to, and whether Traefik does so.

Every use case is reached at `/NAME/...` of one address that never changes. A candidate that gets no traffic yet is reached
there too, by those who name it in the header `X-Slipway-Release`.
"""

from __future__ import annotations

import time

import httpx

from configs.errors import CheckFailed
from configs.settings import home, service_address
from tasks.deploying.values import Release
from tasks.routing import traffic
from tasks.routing.render import CANDIDATE as CANDIDATE
from tasks.routing.render import ROUTE, mark, render
from tasks.routing.values import Candidate, TrafficPlan

SWITCH_SECONDS = 30
LOG_TAIL = 100_000


class NotSwitched(CheckFailed):
    """The gateway did not take the new route in time; the one before is back."""


def route(use_case: str, addresses: list[str], candidate: Release | None = None) -> None:
    """Send the use case's requests to these servers; returns when the gateway does so.

    Raises:
        NotSwitched: it still does as before after the time limit. The plan is as it was before.
    """
    stands_in = Candidate(release=candidate.name, addresses=tuple(candidate.addresses)) if candidate else None
    plan = TrafficPlan(addresses=tuple(addresses), candidate=stands_in)
    wanted = mark(use_case, render(use_case, plan))
    logged = _log_size()
    before = traffic.replace(use_case, plan)
    probes: list[dict[str, str]] = [{}] * bool(addresses)
    if candidate:
        probes.append({CANDIDATE: candidate.name})
    deadline, answer = time.monotonic() + SWITCH_SECONDS, "nothing"
    while time.monotonic() < deadline:
        try:
            responses = [httpx.get(f"{address(use_case)}/readyz", headers=probe, timeout=2) for probe in probes]
            answer = ", ".join(f"status {response.status_code}" for response in responses)
            if all(response.headers.get(ROUTE) == wanted for response in responses):
                return
        except httpx.TransportError as error:
            answer = type(error).__name__
        time.sleep(0.05)
    words = _words(use_case, logged)
    traffic.put_back(use_case, plan, before)
    raise NotSwitched(
        f"the gateway did not take the new route of {use_case} within {SWITCH_SECONDS} s, and the one before is back; it "
        f"answers {answer}; {traffic.plan_file(use_case)}, rendered into {traffic.routes_file()}; its log: {words}"
    )


def address(use_case: str) -> str:
    """Where clients reach the use case."""
    return f"{service_address('gateway')}/{use_case}"


def routed(use_case: str) -> list[str]:
    """The servers that the gateway sends the use case's requests to, sorted."""
    return sorted(traffic.plan_of(use_case).addresses)


def _words(use_case: str, offset: int) -> str:
    """What Traefik said since then of this use case, or of all that it was given."""
    path = home() / "logs" / "gateway.log"
    if not path.exists():
        return f"there is no {path}"
    with path.open("rb") as log:
        log.seek(max(offset, path.stat().st_size - LOG_TAIL))
        lines = log.read().decode(errors="replace").splitlines()
    ours = (f"{use_case}@", f"{use_case}.", "providerName=file", "file.Provider", str(traffic.routes_file()))
    said = [line.strip() for line in lines if "ERR" in line and any(word in line for word in ours)]
    return " | ".join(dict.fromkeys(said)) or f"nothing of it in {path}"


def _log_size() -> int:
    path = home() / "logs" / "gateway.log"
    return path.stat().st_size if path.exists() else 0
