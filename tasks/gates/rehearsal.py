"""Rehearsal: a stand-in of the release that gates run against, reached through the gateway by its name only."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.schema import UseCase
from configs.settings import made, use_case_home
from tasks import gateway
from tasks.deploy import bring_up, take_down
from tasks.reconcile import named
from tasks.values import Release, write_atomically

LOG = "rehearsal"


@contextmanager
def rehearsal(wanted: Release) -> Iterator[Release]:
    """One replica of the same image, with keys on and a log of its own; gone afterwards, whatever happened."""
    settings = {**wanted.settings, "SLIPWAY_AUTH": "on"}
    stand_in = named(wanted.model_copy(update={"settings": settings, "log": LOG, "wanted": 1}))
    serving = gateway.routed(wanted.use_case)
    log = use_case_home(wanted.use_case) / LOG
    shutil.rmtree(log, ignore_errors=True)  # what a killed run left
    release = bring_up(stand_in)
    try:
        gateway.route(wanted.use_case, serving, release)
        yield release
    finally:
        gateway.route(wanted.use_case, serving)
        take_down(release)
        shutil.rmtree(log, ignore_errors=True)


def passed_before(use_case: UseCase, wanted: Release) -> bool:
    """Whether this very release passed these very gates: then a rollback, or a run after a kill, need not wait for them."""
    return _record(use_case, wanted).exists()


def remember(use_case: UseCase, wanted: Release) -> None:
    """Keep that it did."""
    write_atomically(_record(use_case, wanted), json.dumps(use_case.gates.model_dump(mode="json")).encode())


def _record(use_case: UseCase, wanted: Release) -> Path:
    gates = hashlib.sha256(json.dumps(use_case.gates.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    return made(use_case_home(use_case.name) / "gates") / f"{wanted.name}-{gates[:8]}.json"
