"""Traffic plans: which servers each use case's requests go to, one file a use case, and the one file that Traefik reads.

Traefik refuses all of what it is given for one part that it cannot read, so it is given nothing that was not rendered here
from plans that were read strictly. A plan that cannot be read is left out and told; it never reaches beyond its use case.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.files import locked, write_atomically
from configs.forms import USE_CASE_NAME
from configs.settings import home, made
from configs.tls import running_tls
from tasks.routing.render import render
from tasks.routing.values import TrafficPlan


def replace(use_case: str, wanted: TrafficPlan) -> bytes | None:
    """Make this the use case's plan and render it; returns what stood there before, to be put back."""
    with _changing():
        before = _content(use_case)
        _write(use_case, wanted.model_dump_json(indent=1).encode() if wanted.servers() else None)
    return before


def put_back(use_case: str, mine: TrafficPlan, before: bytes | None) -> None:
    """Undo a `replace` that the gateway did not take, unless somebody else has replaced the plan since."""
    with _changing():
        content = _content(use_case)
        if (read(content) if content else TrafficPlan()) == mine:
            _write(use_case, before)


def refresh() -> list[str]:
    """Render what there is, before the gateway starts; returns the plans that cannot be read, each with why."""
    shutil.rmtree(home() / "gateway" / "routes", ignore_errors=True)  # Traefik's files of earlier versions
    with _changing():
        _render()
    return unreadable()


def plan_of(use_case: str) -> TrafficPlan:
    """The use case's plan; an empty one where there is none that can be read."""
    content = _content(use_case)
    try:
        return read(content) if content else TrafficPlan()
    except ValueError:
        return TrafficPlan()


def unreadable() -> list[str]:
    """Each plan that is left out, and why."""
    return [f"{path}: {why}; left out, 'slipway deploy {path.stem}' writes it anew" for path, why in _plans()[1]]


def read(content: bytes) -> TrafficPlan:
    """A plan from a file.

    Raises:
        ValueError: it is none; the message is one line.
    """
    try:
        return TrafficPlan.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(" ".join([*map(str, first["loc"]), first["msg"]])) from None


def routes_file() -> Path:
    """The file that Traefik watches. It has to be there before Traefik starts."""
    return made(home() / "gateway" / "traefik") / "routes.yml"


def plan_file(use_case: str) -> Path:
    """Where the use case's plan lies."""
    return _folder() / f"{use_case}.json"


def _folder() -> Path:
    return made(home() / "gateway" / "plans")


def _changing() -> Any:
    return locked(_folder() / ".lock")


def _content(use_case: str) -> bytes | None:
    path = plan_file(use_case)
    return path.read_bytes() if path.exists() else None


def _write(use_case: str, content: bytes | None) -> None:
    if content is None:
        plan_file(use_case).unlink(missing_ok=True)
    else:
        write_atomically(plan_file(use_case), content)
    _render()


def _plans() -> tuple[dict[str, TrafficPlan], list[tuple[Path, str]]]:
    plans, left_out = {}, []
    for path in sorted(_folder().glob("*.json")):
        try:
            if not re.match(USE_CASE_NAME, path.stem):
                raise ValueError("no use case can have this name")
            plans[path.stem] = read(path.read_bytes())
        except (ValueError, OSError) as error:
            left_out.append((path, str(error)))
    return plans, left_out


def _render() -> None:
    """Every readable plan and the certificate in one file. An empty section must not be there: Traefik refuses it."""
    content: dict[str, Any] = {}
    for use_case, found in _plans()[0].items():
        for section, members in render(use_case, found)["http"].items():
            if members:
                content.setdefault("http", {}).setdefault(section, {}).update(members)
    if tls := running_tls():
        shown = {"certFile": str(tls.certificate), "keyFile": str(tls.key)}
        content["tls"] = {"stores": {"default": {"defaultCertificate": shown}}}
    write_atomically(routes_file(), json.dumps(content, indent=1).encode())
