"""Bundle: the one artifact that moves. Model, contract, card, and a manifest with the hash of each; no row of data."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from typing import Any

from configs.schema import UseCase
from configs.settings import store
from serving.scoring.bundle import CODES, REASONS, file_digest
from tasks.data.frames import contract_of
from tasks.data.values import Snapshot
from tasks.explaining.values import Influence
from tasks.fairness.told import section
from tasks.fairness.values import FairnessFound
from tasks.packaging.influence import section as section_of_influence
from tasks.packaging.reference import keep_reference
from tasks.packaging.values import BundleRef, OnnxModel
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.training.reliability import table
from tasks.training.values import Evaluation


@step
def bundle(
    use_case: UseCase,
    snapshot: Snapshot,
    contract: str,
    onnx: OnnxModel,
    evaluation: Evaluation,
    lineage: dict[str, Any],
    fairness: FairnessFound | None = None,
    reasons: str | None = None,
    codes: str | None = None,
    influence: Influence | None = None,
) -> BundleRef:
    """Assemble the bundle, and move it into the store under the digest of its manifest in one step.

    `reasons` is the file that reasons are given from, where the model has any, `codes` what tells them in words;
    `influence` is for the card.
    """
    bundles = store("bundles")
    folder = tempfile.mkdtemp(prefix=".new-", dir=bundles)
    try:
        shutil.copyfile(onnx.path, f"{folder}/model.onnx")
        shutil.copyfile(store("contracts") / f"{contract}.json", f"{folder}/contract.json")
        if reasons is not None:
            shutil.copyfile(store("reasons") / f"{reasons}.npz", f"{folder}/{REASONS}")
        if codes is not None:
            shutil.copyfile(store("codes") / f"{codes}.json", f"{folder}/{CODES}")
        with open(f"{folder}/card.md", "w", encoding="utf-8") as card:
            card.write(model_card(use_case, snapshot, evaluation, lineage, fairness, influence))
        files = {name: file_digest(bundles / folder / name) for name in sorted(os.listdir(folder))}
        data = {"reference": keep_reference(use_case, snapshot), "holdout": evaluation.scores}
        manifest = {"use_case": use_case.name, "files": files, "data": data, "lineage": lineage}
        raw = json.dumps(manifest, indent=1, sort_keys=True).encode()
        with open(f"{folder}/manifest.json", "wb") as file:
            file.write(raw)
        digest = hashlib.sha256(raw).hexdigest()
        os.chmod(folder, 0o755)
        if not (bundles / digest).exists():
            os.replace(folder, bundles / digest)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return BundleRef(digest=digest)


def model_card(
    use_case: UseCase,
    snapshot: Snapshot,
    evaluation: Evaluation,
    lineage: dict[str, Any],
    fairness: FairnessFound | None = None,
    influence: Influence | None = None,
) -> str:
    """A model card after Mitchell et al., "Model Cards for Model Reporting" (2019)."""
    metrics = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(evaluation.metrics.items()))
    gates = "\n".join(
        f"| {gate.where} | {gate.metric} | {gate.value:.4f} | {gate.bound} | {gate.rows:,} |" for gate in evaluation.gates
    )
    refitted = use_case.split.refit and use_case.source.time_column is not None
    answers = problem_of(use_case.target).told(use_case.target, contract_of(evaluation.contract))
    remarks = "".join(f"\n{remark}.\n" for remark in evaluation.remarks)
    calibration = (
        f"""
## Probabilities, calibrated ({use_case.model.calibration})

{table(evaluation.calibration)}"""
        if evaluation.calibration
        else ""
    )
    judged = "fitted without these rows; the model in this bundle was then refitted with them" * refitted
    return f"""# {use_case.name}

{use_case.description}

- **Answers**: `{use_case.target.column}`; {answers}{_threshold(use_case.recipe.threshold)}
{_made(use_case, snapshot, lineage)}
- **Features**: {", ".join(f"`{name}`" for name in use_case.features.all)}
- **Configuration**: `{lineage["configuration_digest"]}`; commit, code and packages stand with the version in the registry

## Measured on rows that were held out{f" ({judged})" if judged else ""}

| metric | value |
|---|---|
{metrics}
{remarks}{calibration}
## Gates

| rows of | metric | value | bound | rows |
|---|---|---|---|---|
{gates}
{_fairness(fairness, use_case)}{section_of_influence(influence)}"""


def _threshold(given: float | None) -> str:
    """What probabilities mean where they are told against another threshold than one half; else nothing."""
    if given is None:
        return ""
    odds = f"{given:g} to {1 - given:g}"
    return f", answered above a probability of {given:g}; its odds are told against {odds}: one half is there"


def _fairness(found: FairnessFound | None, use_case: UseCase) -> str:
    """How the groups of protected columns are answered; nothing where none are declared."""
    if found is None or use_case.fairness is None:
        return ""
    seen = [f"`{name}`" for name in use_case.fairness.protected if name in use_case.features.all]
    told = f"The model sees {' and '.join(seen)}" if seen else "The model sees none of the protected columns"
    return f"\n## Fairness: {found.verdict}\n\n{told}. {section(found)}"


def _made(use_case: UseCase, snapshot: Snapshot, lineage: dict[str, Any]) -> str:
    """The lines of the card that say what the model is and what it learned from."""
    model, until, rows = use_case.model, lineage["until"] or "now", f"{snapshot.rows:,} rows, snapshot `{snapshot.digest}`"
    if model.onnx is not None:
        return f"""- **Model**: `{model.named}`, given as a file, SHA-256 `{lineage["model_file"]}`; it was not trained here
- **Held against**: {rows}, known until {until}"""
    why = f"; {lineage['recipe']}" if lineage["recipe"] else ""
    return f"""- **Model**: `{model.named}` {model.parameters}, seed {model.seed}
- **Recipe**: learned from history `{use_case.training.history[0]}`{why}
- **Trained on**: {lineage["learned_rows"]:,} of {rows}, known until {until}"""
