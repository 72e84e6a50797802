"""Contract: every replica says what its bundle says, and answers what scikit-learn answers."""

from __future__ import annotations

from prefect import task

from tasks.deploying.values import Release
from tasks.gates.checks import conclude
from tasks.gates.contract_checks import contract_checks
from tasks.registry.values import Version


@task
def contract_gate(release: Release, version: Version) -> None:
    """Readiness, metadata and OpenAPI against the contract; golden rows in two protocols against scikit-learn.

    Raises:
        GateClosed: naming each check that failed, and what came back.
    """
    conclude("contract", release, contract_checks(release, version))
