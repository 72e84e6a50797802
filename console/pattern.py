"""The pattern in `prefect.yaml`: what it says of its example, said of another use case."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim
from ruamel.yaml import YAML

from configs.load import use_case_folders
from configs.rollout import LOOKS
from configs.schema import UseCase
from configs.settings import PROJECT, shipped

EXAMPLE = re.compile(r"\bflights\b")
GRACE = timedelta(hours=2)
Deployment = dict[str, Any]


def rendered(case: UseCase, pool: str, paused: bool) -> dict[str, Any]:
    """The whole file for this use case and work pool; `paused` leaves schedules and triggers off."""
    pattern = read_pattern()
    (step,) = pattern["pull"][0].values()
    step["directory"] = str(PROJECT)  # whatever folder the command was called from
    deployments = [_fitted(_renamed(each, case.name), case) for each in pattern["deployments"]]
    for deployment in deployments:
        deployment |= {"work_pool": {"name": pool, **_found_again()}, "paused": paused}
        for trigger in deployment.get("triggers", []):
            trigger["enabled"] = not paused
    return {**pattern, "deployments": deployments}


def read_pattern() -> dict[str, Any]:
    """`prefect.yaml` as it stands."""
    content: dict[str, Any] = YAML(typ="safe").load(shipped("prefect.yaml").read_text(encoding="utf-8"))
    content.pop("definitions")  # anchors, which are resolved now
    return content


def flow_of(deployment: Deployment) -> str:
    """The name of the flow that a deployment runs."""
    return str(deployment["entrypoint"].partition(":")[2])


def longest_pause(cron: str, time_zone: str) -> timedelta:
    """The longest time between two moments of a schedule.

    >>> longest_pause("15 3 * * 1-5", "UTC").days
    3
    """
    zone = ZoneInfo(time_zone)
    moments = list(islice(CronSim(cron, datetime(2026, 1, 1, tzinfo=zone)), 2000))
    return max(later.astimezone(ZoneInfo("UTC")) - moment.astimezone(ZoneInfo("UTC")) for moment, later in pairwise(moments))


def schedules_of(case: UseCase) -> dict[str, str | None]:
    """When the use case wants each flow that has a schedule."""
    return {
        "monitor": case.monitoring.schedule,
        "retrain": case.retraining.schedule,
        "maintain": case.log.schedule,
        "rollout": case.rollout.looks if case.rollout else LOOKS,  # off but for while a rollout is under way
    }


def _found_again() -> dict[str, Any]:
    """What a run needs to find use cases of other folders: the worker may have been started without knowing them."""
    if not os.environ.get("SLIPWAY_USE_CASES"):
        return {}
    return {"job_variables": {"env": {"SLIPWAY_USE_CASES": os.pathsep.join(map(str, use_case_folders()))}}}


def _renamed(part: Any, name: str) -> Any:
    """The example's name is replaced wherever it stands as a word."""
    if isinstance(part, dict):
        return {key: _renamed(value, name) for key, value in part.items()}
    if isinstance(part, list):
        return [_renamed(value, name) for value in part]
    return EXAMPLE.sub(name, part) if isinstance(part, str) else part


def _fitted(deployment: Deployment, case: UseCase) -> Deployment:
    """With the use case's own schedules, and told as late as these allow."""
    flow = flow_of(deployment)
    schedules = schedules_of(case)
    if flow in schedules:
        cron, (usual,) = schedules[flow], deployment.pop("schedules")
        deployment["schedules"] = [{**usual, "cron": cron, "timezone": case.time_zone}] if cron else []
    if flow == "missed":
        cron, (usual,) = case.monitoring.schedule, deployment.pop("triggers")
        deployment["triggers"] = [_patient(usual, longest_pause(cron, case.time_zone) + GRACE)] if cron else []
    return deployment


def _patient(trigger: dict[str, Any], wait: timedelta) -> dict[str, Any]:
    hours = round(wait.total_seconds() / 3600)
    parameters = {**trigger["parameters"], "waited": f"{hours} hours"}
    return {**trigger, "within": round(wait.total_seconds()), "parameters": parameters}
