"""Rollback: an earlier version serves again, within seconds, whatever else goes on or is down.

It needs the gateway, the platform and this home's files: no MLflow, no Prefect server, no lock of a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
from prefect import get_run_logger, task

from configs.errors import CheckFailed, InputError
from configs.settings import home, service_address
from tasks.deploying.reconcile import named, releases, take_down
from tasks.deploying.switchover import DRAIN_SECONDS, send, start
from tasks.deploying.values import Release
from tasks.fence import emergency
from tasks.gates.checks import GateClosed, decide
from tasks.gates.contract_checks import contract_checks
from tasks.log.keys import given
from tasks.people import may
from tasks.quarantine import refuse_quarantined
from tasks.registry.versions import the_champion
from tasks.rollouts.state import under_way
from tasks.rollouts.take_back import end_rollout, tidy
from tasks.rollouts.values import State
from tasks.routing import gateway
from tasks.routing.served import Served, earlier

# The door and the log stay as strict as they are now; the rest is as it was when the version served.
OF_NOW = ("SLIPWAY_AUTH", "SLIPWAY_SENSITIVE", "SLIPWAY_LOG_FAILURE")
MLFLOW_SECONDS = 2
BEFORE_THE_SWITCH = ("initialising", "progressing", "waiting")


class SecretMissing(CheckFailed):
    """What a release was started with is not there, so it would not be the same one."""


def roll_back(use_case: str, version: str | None, reason: str, say: Callable[[str], None]) -> str:
    """Describe the earlier release from its record, bring it up, test it, send it the traffic; returns its version.

    Raises:
        InputError: there is nothing to go back to.
        NotAllowed: whoever asks is no operator.
        CheckFailed: the bundle is not trusted, or the release is not ready or answers wrongly; then nothing has changed.
    """
    person = may("operator", "roll back")
    if not (home() / "use_cases" / use_case / "served").is_dir():
        raise InputError(
            f"nothing of {use_case!r} was ever switched to in {home()}, so there is nothing to roll back; 'slipway deploy "
            f"{use_case} --version N' tests any version and switches to it"
        )
    rolling = under_way(use_case)
    if rolling is not None and version is None and rolling.phase in BEFORE_THE_SWITCH:
        return _challenger_back(rolling, f"{person.name}: {reason}", say)
    if rolling is not None and version is None:  # the one before is what the rollout replaced
        version = rolling.champion.version
    _, before = earlier(use_case, version)  # where there is none, no run is fenced either
    if version is None:  # whoever names one has decided
        refuse_quarantined(use_case, before.version.version)
    with emergency(use_case, "rolled back", reason, say):
        ended = end_rollout(use_case, f"rolled back by {person.name}: {reason}")
        now, before = earlier(use_case, version)
        release = start(as_it_ran(before, now.release.settings))
        say(f"Release {release.name} is ready: {', '.join(release.addresses)} ({release.platform})")
        _test(release, before, now)
        replaced = _behind_gateway(use_case, release)
        send(before.version, release, reason, rolled_back_by=person.name)
        say(f"{use_case} version {before.version.version} serves: {reason}")
        _take_down(replaced, say)
    if ended is not None:
        tidy(ended)
    _mirror(use_case, say)
    return before.version.version


@task
def rolled_back(use_case: str, version: str | None, reason: str) -> str:
    """The same as a step of a flow, with its words in the run's log."""
    return roll_back(use_case, version, reason, get_run_logger().info)


def as_it_ran(record: Served, now: dict[str, str]) -> Release:
    """The release of the record, behind a door and with a log that are as strict as the settings of now."""
    if missing := sorted(set(record.secrets) - set(given())):
        raise SecretMissing(
            f"version {record.version.version} was served with the secret {missing[0]}, which nobody gives now; put it into "
            "the environment (a Prefect block needs Prefect's server) and run this again"
        )
    settings = {**record.release.settings, **{name: now[name] for name in OF_NOW if name in now}}
    return named(record.release.model_copy(update={"settings": settings, "replicas": ()}))


def _challenger_back(rolling: State, reason: str, say: Callable[[str], None]) -> str:
    """While a challenger meets its first requests, what is to go back is the challenger; the champion serves as before."""
    with emergency(rolling.use_case, "rolled back", reason, say):
        ended = end_rollout(rolling.use_case, f"rolled back: {reason}")
    if ended is not None:
        say(f"Version {ended.challenger.version}, which was being rolled out, gets no request any more")
        tidy(ended)
    return rolling.champion.version


def _test(release: Release, before: Served, now: Served) -> None:
    try:
        decide("contract", release, contract_checks(release, before.version))
    except GateClosed:
        if release.name != now.release.name:
            take_down(release)
        raise


def _behind_gateway(use_case: str, release: Release) -> list[Release]:
    """The releases that the gateway sends requests to, but for this one. Others belong to a deploy that still runs."""
    routed = set(gateway.routed(use_case))
    there = [other for other in releases(use_case) if other.name != release.name]
    return [other for other in there if routed & {replica.address for replica in other.replicas}]


def _take_down(replaced: list[Release], say: Callable[[str], None]) -> None:
    if replaced:
        time.sleep(DRAIN_SECONDS)  # requests on their way arrive before it stops
    for release in replaced:
        try:
            take_down(release)
        except InputError as error:  # its platform does not answer now; the next switch sees it again
            say(f"Release {release.name} was not stopped: {error}")


def _mirror(use_case: str, say: Callable[[str], None]) -> None:
    """MLflow's alias follows what serves, now where MLflow answers, else with the next run that asks for the champion."""
    try:
        httpx.get(f"{service_address('mlflow')}/health", timeout=MLFLOW_SECONDS).raise_for_status()
    except (httpx.HTTPError, InputError):
        say("MLflow does not answer: its alias 'champion' follows with the next run")
        return
    the_champion(use_case)
