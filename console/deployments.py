"""The deployments of every use case in Prefect, made from the pattern in `prefect.yaml` and its own schedules.

A use case that is written down has them; until its first release they are paused, or, where it leaves keys to its table, not
there. One whose file is gone is paused, with its
schedules and triggers, until the file comes back or the use case is retired. What is registered already is left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from configs.errors import InputError
from configs.inferred import NotInferred
from configs.load import load_use_case, use_case_names
from configs.schema import UseCase
from configs.settings import PROJECT, home, made, pool
from console.pattern import rendered, schedules_of
from console.pool import make_pool
from tasks.monitoring.watching import deployments, look_by_schedule, pause, remove
from tasks.rollouts.state import under_way
from tasks.routing.released import is_retired, released_version

PAUSED = "paused: its file is gone"


def register(say: Callable[[str], None], *also: str) -> None:
    """Register the deployments of every use case that is written down, and pause those of one whose file is gone.

    Retired ones are left out, but for those named. A use case with something wrong in its file keeps the deployments that it
    has; that is told, and stops no other.
    """
    written = use_case_names()
    wanted = {name: mark for name in written if name in also or not is_retired(name) if (mark := _wanted(name, say))}
    changed = {name: mark for name, mark in wanted.items() if _mark(name) != mark}
    if changed:
        say(f"Registering the deployments of {', '.join(changed)}")
        cases = [load_use_case(name) for name in changed]
        _deploy(cases)
        for case in cases:
            _finish(case)
            _keep_mark(case.name, changed[case.name])
    for path in _marks().iterdir():
        if path.name not in written and _mark(path.name) != PAUSED:
            say(f"{path.name} is no longer watched: its file is gone. 'slipway retire {path.name}' takes it out of service")
            pause(path.name)
            _keep_mark(path.name, PAUSED)


def unregister(use_case: str) -> None:
    """Take a use case's deployments away."""
    remove(use_case)
    (_marks() / use_case).unlink(missing_ok=True)


def _wanted(name: str, say: Callable[[str], None]) -> str:
    """What the deployments are made of, as a digest; empty where the use case cannot be read."""
    try:
        content = rendered(load_use_case(name), pool(), False)
    except NotInferred:  # it has none before its first release, which looks at its table
        return ""
    except InputError as error:
        say(f"The deployments of {name} stay as they are: {error}")
        return ""
    flows = [path.read_text(encoding="utf-8") for path in sorted((PROJECT / "flows").glob("*.py"))]  # their parameters
    return hashlib.sha256(json.dumps([content, flows], sort_keys=True).encode()).hexdigest()


def _deploy(cases: list[UseCase]) -> None:
    """By Prefect's own command, on the pattern as it reads for these; the file stays beside Prefect's state."""
    read = [rendered(case, pool(), not released_version(case.name)) for case in cases]
    path = made(home() / "prefect") / "deployments.json"  # which is YAML to Prefect, and leaves no word like `yes` in doubt
    path.write_text(json.dumps({**read[0], "deployments": [each for one in read for each in one["deployments"]]}, indent=1))
    make_pool()
    words = [f"{Path(sys.executable).parent}/prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
    done = subprocess.run(words, cwd=PROJECT, env={**os.environ}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"{' '.join(words[1:])} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def _finish(case: UseCase) -> None:
    """What `prefect deploy` leaves: schedules that are no more, and a use case that is not to be changed in the form."""
    from prefect.client.orchestration import get_client

    cron = schedules_of(case)
    with get_client(sync_client=True) as client:
        for deployment in deployments(client, case.name):
            flow = client.read_flow(deployment.flow_id).name
            for schedule in deployment.schedules if not cron.get(flow) else []:
                client.delete_deployment_schedule(deployment.id, schedule.id)
            client.update_deployment(deployment.id, _with_one_use_case(deployment))
    look_by_schedule(case.name, "rollout", under_way(case.name) is not None)


def _with_one_use_case(deployment: Any) -> Any:
    from prefect.client.schemas.actions import DeploymentUpdate

    schema = deployment.parameter_openapi_schema
    use_case = {**schema["properties"]["use_case"], "enum": [deployment.name], "default": deployment.name}
    schema = {**schema, "properties": {**schema["properties"], "use_case": use_case}}
    return DeploymentUpdate(parameter_openapi_schema=schema)


def _marks() -> Path:
    return made(home() / "prefect" / "registered")


def _mark(use_case: str) -> str:
    path = _marks() / use_case
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _keep_mark(use_case: str, mark: str) -> None:
    (_marks() / use_case).write_text(mark, encoding="utf-8")
