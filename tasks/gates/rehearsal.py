"""Rehearsal: a stand-in of the release that gates run against, reached through the gateway by its name only."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.files import write_atomically
from configs.schema import UseCase
from configs.settings import made, use_case_home
from tasks.deploying.reconcile import named, take_down
from tasks.deploying.values import Release
from tasks.fence import switching
from tasks.routing import gateway

LOG = "rehearsal"


def stand_in(wanted: Release) -> Release:
    """One replica of the same image, with keys on and a log of its own."""
    settings = {**wanted.settings, "SLIPWAY_AUTH": "on"}
    return named(wanted.model_copy(update={"settings": settings, "log": LOG, "wanted": 1}))


@contextmanager
def reachable(release: Release) -> Iterator[Release]:
    """The gateway leads to the stand-in, for those who name it; afterwards it is gone, whatever happened."""
    try:
        _show(release.use_case, release)
        yield release
    finally:
        _show(release.use_case, None)
        take_down(release)
        shutil.rmtree(use_case_home(release.use_case) / LOG, ignore_errors=True)


def _show(use_case: str, candidate: Release | None) -> None:
    """What serves stays as it is at this moment: a rollback may have come in between."""
    with switching(use_case):
        gateway.route(use_case, gateway.routed(use_case), candidate)


def passed_before(use_case: UseCase, wanted: Release) -> bool:
    """Whether this very release passed these very gates: then a rollback, or a run after a kill, need not wait for them."""
    return _record(use_case, wanted).exists()


def remember(use_case: UseCase, wanted: Release) -> None:
    """Keep that it did."""
    write_atomically(_record(use_case, wanted), json.dumps(use_case.gates.model_dump(mode="json")).encode())


def _record(use_case: UseCase, wanted: Release) -> Path:
    gates = hashlib.sha256(json.dumps(use_case.gates.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    return made(use_case_home(use_case.name) / "gates") / f"{wanted.name}-{gates[:8]}.json"
