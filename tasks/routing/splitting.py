"""Splitting: the part of a traffic plan that the champion's own servers carry out, handed to them as a file.

The gateway stays the one address, and leads to the champion; its servers send rows on (`serving/traffic/`, docs/traffic.md).
A plan belongs to one release, the one that serves: `use_cases/NAME/traffic/RELEASE.json`. So an arm's own servers,
rehearsals and whatever serves next carry out nothing, and no release's name depends on a plan.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import httpx
import msgspec

from configs.errors import CheckFailed, InputError
from configs.files import write_atomically
from configs.settings import made, use_case_home
from serving.protocols.internal import PLANS
from serving.traffic.plan import Plan, PlanError, read_plan
from tasks.deploying.values import Release
from tasks.routing import gateway
from tasks.routing.halted import halted, refuse_halted
from tasks.routing.served import serving

TAKEN_SECONDS = 15.0


class NotSplit(CheckFailed):
    """A server did not take the plan in time; what was there before is back."""


def split(use_case: str, plan: Plan) -> None:
    """Have the servers of what serves carry out a plan; returns when every worker of every replica does.

    Raises:
        InputError: nothing serves, the use case is halted, or the plan contradicts itself.
        NotSplit: a worker did not take it in time, and the plan before is back.
    """
    if plan.halt is None:
        refuse_halted(use_case)
    release = _serving(use_case)
    _have(release, plan, gateway.routed(use_case))
    forget_splits(use_case, keep=release.name)


def halt_first(release: Release) -> None:
    """Where the use case is halted, have a release that is about to serve know it before it gets a request.

    Raises:
        NotSplit: a worker did not take it in time.
    """
    if (stands := halted(release.use_case)) is not None:
        _have(release, stands.plan(), list(release.addresses))


def _have(release: Release, plan: Plan, addresses: list[str]) -> None:
    """Have those servers of a release carry out a plan."""
    content = msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"
    try:
        read_plan(content)
    except PlanError as error:
        raise InputError(f"use case {release.use_case!r}: traffic plan {plan.id!r}: {error}") from None
    path = plan_path(release)
    before = path.read_bytes() if path.exists() else None
    write_atomically(path, content)
    try:
        _wait(release, hashlib.sha256(content).hexdigest()[:12], addresses)
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, before)
        raise


def unsplit(use_case: str) -> None:
    """Have what serves answer everything itself again; returns when every worker that runs does.

    While the use case is halted nobody answers, and what serves goes on saying so.

    Raises:
        NotSplit: a worker still carries out a plan after the time limit. The plan's file is gone all the same.
    """
    if halted(use_case) is None:
        let_go(use_case)


def let_go(use_case: str) -> None:
    """The same, also where the use case is halted: that is about to be lifted."""
    forget_splits(use_case)
    if (served := serving(use_case)) is not None:
        _wait(served.release, "", gateway.routed(use_case))


def split_of(use_case: str) -> Plan | None:
    """The plan that what serves carries out."""
    served = serving(use_case)
    path = plan_path(served.release) if served else None
    return read_plan(path.read_bytes()) if path is not None and path.exists() else None


def forget_splits(use_case: str, keep: str = "") -> None:
    """Drop the plans of every release but one: a release that serves again must not find what it carried out before."""
    for path in splits_folder(use_case).glob("*.json"):
        if path.stem != keep:
            path.unlink(missing_ok=True)


def plan_path(release: Release) -> Path:
    """Where a release's servers look for their plan."""
    return splits_folder(release.use_case) / f"{release.name}.json"


def splits_folder(use_case: str) -> Path:
    """The folder of plans; containers mount it, because a file that is replaced cannot be mounted."""
    return made(use_case_home(use_case) / "traffic")


def _serving(use_case: str) -> Release:
    served = serving(use_case)
    if served is None:
        raise InputError(f"nothing of {use_case!r} serves, so there is no traffic to split; deploy a version first")
    return served.release


def _wait(release: Release, digest: str, waiting: list[str]) -> None:
    """Until all workers of each replica at those addresses carry out the plan with that digest ("": none)."""
    workers = int(release.settings.get("SLIPWAY_WORKERS", "1"))
    wanted = {digest: workers} if digest else {}
    deadline = time.monotonic() + TAKEN_SECONDS
    while waiting := [address for address in waiting if _differs(address, wanted)]:
        if time.monotonic() > deadline:
            what = f"take traffic plan {digest} with {workers} workers" if digest else "let go of the traffic plan"
            raise NotSplit(
                f"release {release.name} did not {what} within {TAKEN_SECONDS:g} s: {_differs(waiting[0], wanted)}; its log "
                "says why. A release that an earlier version of Slipway started knows no plans, and has to be deployed again"
            )
        time.sleep(0.05)


def _differs(address: str, wanted: dict[str, int]) -> str:
    """What a server says that carries out other plans than those, by digest and workers; "" where it is so.

    One that does not run, or that knows no plans, carries out none.
    """
    try:
        answer = httpx.get(f"{address}{PLANS}", timeout=2)
    except httpx.TransportError as error:
        none = isinstance(error, httpx.ConnectError) and not wanted
        return "" if none else f"{address}: {type(error).__name__}"
    none = answer.status_code == 404 and not wanted
    if none or (answer.status_code == 200 and answer.json() == wanted):
        return ""
    return f"{address} answers {answer.status_code}: {answer.text[:200]}"
