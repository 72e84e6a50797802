"""A table of checks, each passed or not, kept as a Prefect artifact, and told in one line where one failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_table_artifact

from configs.errors import CheckFailed
from serving.contract.contract import Contract
from serving.scoring.bundle import read_bundle
from tasks.deploying.keys import internal_headers
from tasks.deploying.values import Release
from tasks.history import record
from tasks.log.read import TEST_CALLER
from tasks.packaging.values import BundleRef
from tasks.registry.versions import tag_version
from tasks.routing import gateway


class GateClosed(CheckFailed):
    """A release does not do what it must; the message names each check that failed and what was found."""


class Check(NamedTuple):
    """One line of a gate's table."""

    check: str
    passed: bool
    found: str


def run(name: str, check: Callable[[], str]) -> Check:
    """The check's line: what it returns was found; an `AssertionError`, or no usable answer, says that it failed."""
    try:
        return Check(name, True, check())
    except (AssertionError, httpx.HTTPError, KeyError, ValueError) as error:
        return Check(name, False, f"{type(error).__name__}: {error}".removeprefix("AssertionError: "))


def conclude(gate: str, release: Release, checks: list[Check]) -> None:
    """Keep the table, and stop here where a check failed.

    Its numbers also go into the history and, as a tag, to the version in MLflow.

    Raises:
        GateClosed: one did.
    """
    create_table_artifact(key=f"{gate}-{release.use_case}", table=_rows(checks), description=f"Release `{release.name}`")
    tag_version(release.use_case, release.version, f"gate.{gate}", _verdict(gate, checks))
    decide(gate, release, checks)
    get_run_logger().info("Gate %s: %s checks passed", gate, len(checks))


def decide(gate: str, release: Release, checks: list[Check]) -> None:
    """Write the numbers into the history, which needs no server, and stop here where a check failed.

    Raises:
        GateClosed: one did.
    """
    verdict, passed = _verdict(gate, checks), all(check.passed for check in checks)
    details = {"version": release.version, "release": release.name, "passed": passed, "checks": _rows(checks)}
    record(release.use_case, "gate", verdict, **details)
    if not passed:
        raise GateClosed(verdict)


def _rows(checks: list[Check]) -> list[dict[str, Any]]:
    return [{**check._asdict(), "passed": "yes" if check.passed else "no"} for check in checks]


def _verdict(gate: str, checks: list[Check]) -> str:
    failed = [f"{check.check}: {check.found}" for check in checks if not check.passed]
    if failed:
        return f"gate {gate}: {len(failed)} of {len(checks)} checks failed; {'; '.join(failed)}"
    return f"gate {gate}: {len(checks)} checks passed"


def expect(condition: bool, found: str) -> None:
    """Raise what was found unless the condition holds."""
    if not condition:
        raise AssertionError(found)


def contract_of(release: Release) -> Contract:
    """The contract in the release's bundle."""
    return read_bundle(BundleRef(digest=release.bundle).path).contract


def client(release: Release, address: str) -> httpx.Client:
    """A client of one replica, with Slipway's own key."""
    return httpx.Client(base_url=address, headers=internal_headers(release.use_case, TEST_CALLER), timeout=20)


def gateway_client(release: Release) -> httpx.Client:
    """A client of the gateway, which sends its requests to this release only."""
    headers = {**internal_headers(release.use_case, TEST_CALLER), gateway.CANDIDATE: release.name}
    return httpx.Client(base_url=gateway.address(release.use_case), headers=headers, timeout=20)
