"""Releases as processes of this machine, kept running by a supervisor of their own that outlives the flow.

A release is a folder `releases/NAME` of the use case: `release.json`, `processes.json` for the supervisor, and what it says
of them in `status.json`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import home, made, use_case_home
from tasks.deploying.keys import keys_folder
from tasks.deploying.platforms import supervisor
from tasks.deploying.platforms.ports import free_port, is_free
from tasks.deploying.platforms.supervision import end, supervise, supervisor_of
from tasks.deploying.settings import handed_over
from tasks.deploying.values import Release, Replica
from tasks.packaging.signing_keys import public_key
from tasks.packaging.values import BundleRef
from tasks.routing.splitting import plan_path


def observe(use_case: str) -> list[Release]:
    """What lies in `releases/`, and which of its processes run now.

    Raises:
        InputError: a record of a release is damaged.
    """
    folders = sorted(path.parent for path in use_case_home(use_case).glob("releases/*/release.json"))
    return [_observed(folder) for folder in folders]


def bring_up(release: Release) -> Release:
    """Write down what should run, and make sure that one supervisor sees to it."""
    folder = made(_folder(release))
    ports = _ports(folder, release.wanted)
    replicas = tuple(Replica(address=f"http://127.0.0.1:{port}", handle=str(port)) for port in ports)
    processes = [_process(release, port, number) for number, port in enumerate(ports)]
    write_atomically(folder / "release.json", release.model_copy(update={"replicas": replicas}).model_dump_json().encode())
    if not all(each.name for each in supervisor.read_status(folder)):  # an earlier version's supervisor, which names nothing
        end(folder)
    output = made(home() / "logs") / f"release-{release.name}.log"
    own = {**release.settings, **handed_over(release), "SLIPWAY_TRAFFIC": str(plan_path(release))}
    supervise(folder, processes, output, {**os.environ, **own})
    return release.model_copy(update={"replicas": replicas})


def take_down(release: Release) -> None:
    """End its supervisor and its processes, and leave nothing behind."""
    folder = _folder(release)
    if not folder.exists():
        return
    end(folder)
    shutil.rmtree(folder)


def reach(release: Release, other: Release) -> tuple[str, ...]:
    """As they are: what runs on this machine is published on its loopback interface, containers too."""
    return tuple(other.addresses)


def memory(release: Release) -> int:
    """The unique set size of its processes and what they started."""
    roots = [each.process for each in supervisor.read_status(_folder(release)) if each.process]
    family = [each for root in roots for each in (root, *root.children(recursive=True))]
    return sum(process.memory_full_info().uss for process in family)


def last_words(release: Release) -> str:
    """The end of what its processes printed."""
    outputs = [_output(release, number) for number in range(release.wanted)]
    return "\n".join(path.read_text(errors="replace")[-2000:] for path in outputs if path.exists())


def _observed(folder: Path) -> Release:
    path = folder / "release.json"
    try:
        release = Release.model_validate_json(path.read_bytes())
    except ValidationError:
        raise InputError(
            f"{path} is damaged; end its supervisor ({folder / 'lock'} names it), then remove the folder"
        ) from None
    known = {each.name: each for each in supervisor.read_status(folder)}
    kept = supervisor_of(folder) is not None
    replicas = (
        replica.model_copy(update={"alive": kept and each.process is not None, "restarts": each.restarts})
        for replica in release.replicas
        for each in [known.get(replica.handle, supervisor.Known(None, 0, "", replica.handle))]
    )
    return release.model_copy(update={"replicas": tuple(replicas)})


def _ports(folder: Path, wanted: int) -> list[int]:
    """One a replica: those of before while the release is up, so that the gateway's addresses stay right, else free ones."""
    path = folder / "release.json"
    known = [int(each.handle) for each in Release.model_validate_json(path.read_bytes()).replicas] if path.exists() else []
    if supervisor_of(folder) is None:  # after a reboot they may be somebody else's
        running = any(each.process for each in supervisor.read_status(folder))
        known = [port for port in known if is_free(port) or running]
    while len(known) < wanted:
        port = free_port()
        if port not in known:
            known.append(port)
    return known[:wanted]


def _process(release: Release, port: int, number: int) -> dict[str, Any]:
    """The command of one replica. Its settings, and secrets, come by the supervisor's environment."""
    command = [sys.executable, "-m", "serving", "--bundle", str(BundleRef(digest=release.bundle).path)]
    command += ["--log", str(use_case_home(release.use_case) / release.log), "--port", str(port)]
    command += ["--version", release.version, "--release", release.name]
    command += ["--public-key", str(public_key())]
    if release.settings["SLIPWAY_AUTH"] == "on":
        command += ["--keys", str(keys_folder(release.use_case) / "keys.json")]
    return {"name": str(port), "command": command, "output": str(_output(release, number))}


def _folder(release: Release) -> Path:
    return use_case_home(release.use_case) / "releases" / release.name


def _output(release: Release, number: int) -> Path:
    return made(home() / "logs") / f"release-{release.name}-{number}.log"
