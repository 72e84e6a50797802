"""Where things are on this machine: the project, the home folder and what lies in it."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from configs.errors import InputError
from configs.files import locked, write_atomically

PROJECT = Path(__file__).resolve().parent.parent  # the clone, or, where Slipway was installed, site-packages
CLONE = (PROJECT / "pyproject.toml").is_file()

TELEMETRY_OFF = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
}


def home() -> Path:
    """The folder that holds all state: `SLIPWAY_HOME`, default `.slipway/` in the clone, else in the user's home."""
    default = (PROJECT if CLONE else Path.home()) / ".slipway"
    return Path(os.environ.get("SLIPWAY_HOME") or default).expanduser().resolve()


def shipped(name: str) -> Path:
    """A file of the project's top level, which a package lacks: there it lies in `infra/`."""
    return PROJECT / name if CLONE else PROJECT / "infra" / name


def store(kind: str) -> Path:
    """The content-addressed store of one kind of value: snapshots, models, bundles, windows."""
    return made(home() / "store" / kind)


def use_case_home(name: str) -> Path:
    """What one use case keeps: prediction log, releases, monitoring records, history, reports."""
    return made(home() / "use_cases" / name)


def prediction_log(name: str, log: str = "predictions") -> Path:
    """The folder of a use case's prediction log segments; that of rehearsals is another one."""
    return made(use_case_home(name) / log)


def reports(name: str, kind: str) -> Path:
    """The folder of a use case's reports of one kind, served as files by the `reports` service."""
    return made(home() / "reports" / name / kind)


def report_address(path: Path) -> str:
    """Where a browser finds a file below `reports/`."""
    return f"{service_address('reports')}/{path.relative_to(home() / 'reports')}"


def made(folder: Path) -> Path:
    """The folder, made if it was not there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def service_address(name: str) -> str:
    """The address of a service that `slipway up` started: `prefect`, `mlflow`, `gateway`, `traefik` or `reports`.

    Raises:
        InputError: it was never started in this home.
    """
    services = read_services()
    if name not in services:
        raise InputError(f"{name} is not up in {home()}; start it with 'slipway up'")
    return f"http://127.0.0.1:{services[name]['port']}"


def read_services() -> dict[str, Any]:
    """The port of each service that `slipway up` started in this home.

    Raises:
        InputError: the file is damaged.
    """
    path = home() / "services.json"
    try:
        found = json.loads(path.read_bytes()) if path.exists() else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path} is damaged; remove it, and start the services again with 'slipway up' (on any free ports)")
    return found


def pool() -> str:
    """The Prefect work pool of this home and of no other, also where a home was removed and made again, or copied.

    A worker that outlives its server must not take the runs of whatever home comes next on that port.
    """
    path = made(home()) / "identity"
    if not path.exists():
        with locked(home() / "identity.lock"):
            if not path.exists():
                write_atomically(path, secrets.token_hex(16).encode())
    return f"slipway-{hashlib.sha256(f'{home()} {path.read_text()}'.encode()).hexdigest()[:8]}"
