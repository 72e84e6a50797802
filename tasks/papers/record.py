"""The record of a version: gathered from its bundle, the history, the monitoring, the reviews and the audit record.

Needs no service where the version was ever switched to; of one that was only registered the bundle is asked of MLflow.
Everything in it was written down by something that ran; what only people know stands under `papers:` in the use case.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from configs.errors import CheckFailed, InputError
from configs.privacy import Privacy
from configs.renamed import in_todays_words
from configs.schema import UseCase
from configs.settings import home, store
from serving.scoring.bundle import Bundle, BundleError, read_bundle
from tasks.data.values import Snapshot
from tasks.papers.card import sections
from tasks.papers.happened import changes_table, gates_table, incidents_table, rollouts_table, until, verdicts_table
from tasks.papers.made import columns_table, data_table, made_table, rules_table, software_table
from tasks.papers.private import private_tables
from tasks.papers.seen import audit_table, reviews_table, windows_table
from tasks.papers.values import Duty, Record
from tasks.problems.problem import problem_of
from tasks.registry.versions import get_version
from tasks.rollouts.known import bundle_of, known_version
from tasks.routing.served import serving

DUTIES = Path(__file__).with_name("duties.json")


def record_of(use_case: str, version: str | None = None, privacy: Privacy | None = None) -> Record:
    """What is known of a version; without one, of that which serves. `privacy` is what the use case says of it now.

    Raises:
        InputError: nothing serves, there is no such version, or a quasi-identifier is no column of its rows.
        CheckFailed: its bundle is not in the store of this home, or was changed; or the log cannot be read.
    """
    if not (home() / "use_cases" / use_case).is_dir():
        raise InputError(f"use case {use_case!r} has no record in {home()}; 'slipway release {use_case}' makes one")
    number = version or _serving(use_case)
    digest, run_id, tags = _known(use_case, number)
    bundle = _whole(use_case, number, digest)
    case = UseCase.model_validate(in_todays_words(bundle.manifest.lineage["configuration"]))  # as it was then
    lineage = bundle.manifest.lineage
    snapshot = Snapshot(digest=lineage["snapshot"], rows=lineage["rows"])
    personal, kept = private_tables(case.model_copy(update={"privacy": privacy or Privacy()}), snapshot)
    return Record(
        use_case=use_case,
        version=number,
        description=case.description,
        target=case.target.column,
        answers=problem_of(case.target).told(case.target, bundle.contract).replace("`", ""),
        split=json.dumps(case.split.model_dump(mode="json", exclude_defaults=True)),
        estimator=f"{case.model.named} {json.dumps(case.model.parameters)}, seed {case.model.seed}",
        until=until(use_case),
        made=made_table(bundle, number, run_id, tags),
        software=software_table(tags, run_id),
        data=data_table(bundle, case),
        columns=columns_table(bundle, case),
        measured=sections(bundle),
        gates=gates_table(use_case, number),
        verdicts=verdicts_table(use_case, number),
        rollouts=rollouts_table(use_case, number),
        changes=changes_table(use_case),
        incidents=incidents_table(use_case),
        windows=windows_table(use_case, number),
        reviews=reviews_table(use_case),
        rules=rules_table(bundle, case),
        audit=audit_table(use_case),
        personal=personal,
        kept=kept,
        duties=[Duty(**duty) for duty in law()["duties"]],
    )


def law() -> dict[str, Any]:
    """The dates of duties, when they were checked, and the caution that belongs to them."""
    found: dict[str, Any] = json.loads(DUTIES.read_text("utf-8"))
    return found


def _serving(use_case: str) -> str:
    served = serving(use_case)
    if served is None:
        raise InputError(f"nothing of {use_case!r} serves; say of which version the papers are: --version N")
    return served.version.version


def _known(use_case: str, version: str) -> tuple[str, str, dict[str, str]]:
    """Digest of the bundle, MLflow's run and tags, as the home knows them; of a version it never met MLflow is asked."""
    known, digest = known_version(use_case, version), bundle_of(use_case, version)
    if known is None and digest:
        return digest, "", {}
    if known is None:
        known = get_version(use_case, version)
    return known.bundle.digest, known.run_id, known.tags


def _whole(use_case: str, version: str, digest: str) -> Bundle:
    """The bundle, held against the digest that the version is known by."""
    try:
        bundle = read_bundle(store("bundles") / digest)
    except BundleError as error:
        raise CheckFailed(f"version {version} of {use_case!r}: {error}") from None
    if bundle.digest != digest:
        raise CheckFailed(f"version {version} of {use_case!r}: the bundle in the store is {bundle.digest}, not {digest}")
    return bundle
