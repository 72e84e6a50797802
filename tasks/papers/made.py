"""What a version was made from: bundle, lineage, data, columns, and what the use case ruled then. From its bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from configs.forms import in_words
from configs.schema import UseCase
from serving.contract.contract import Column
from serving.scoring.bundle import SIGNATURE, Bundle
from tasks.papers.values import Table
from tasks.registry.provenance import environment_of

FACT = ["what", "value"]
NOT_RECORDED = "not in the record"
TAGS = {"Python": "python", "commit of the project": "git_commit", "code, SHA-256": "code", "lock, SHA-256": "lock"}
PACKAGES = ("scikit-learn", "lightgbm", "xgboost", "onnx", "skl2onnx", "onnxruntime", "numpy", "pandas", "prefect", "mlflow")


def made_table(bundle: Bundle, version: str, run_id: str, tags: Mapping[str, str]) -> Table:
    """What the version is, and which run made it. Tags are those in MLflow, as the home keeps them."""
    lineage, where = bundle.manifest.lineage, "manifest"
    given = {"pipeline's source, SHA-256": "pipeline_source", "model's file, SHA-256": "model_file"}
    mlflow = f"MLflow, runs:/{run_id}" if run_id else NOT_RECORDED
    parent = tags.get("parent") or ("none, it was the first" if "parent" in tags else NOT_RECORDED)
    rows = [
        ["version", version, mlflow],
        ["version that served when it was made", parent, mlflow],
        ["trained by the run", tags.get("flow_run_name") or NOT_RECORDED, f"Prefect, flow run {tags.get('flow_run', '')}"],
        ["bundle, SHA-256 of its manifest", bundle.digest, where],
        *([f"{name}, SHA-256", digest, where] for name, digest in sorted(bundle.manifest.files.items())),
        ["signature", SIGNATURE if (bundle.folder / SIGNATURE).is_file() else "the bundle has none", "beside the manifest"],
        ["configuration, SHA-256", lineage.get("configuration_digest", NOT_RECORDED), where],
        *([what, lineage[key], where] for what, key in given.items() if lineage.get(key)),
        ["why this recipe", lineage.get("recipe") or "there was no choice", where],
    ]
    return Table(heads=[*FACT, "where it stands"], rows=rows, source=manifest(bundle))


def software_table(tags: Mapping[str, str], run_id: str) -> Table:
    """Versions of what trained it; the list of all packages lies in the store."""
    mlflow = f"MLflow, runs:/{run_id}"
    rows = [[what, tags[tag], mlflow] for what, tag in TAGS.items() if tags.get(tag)]
    where = f"store/environments/{tags.get('packages')}.txt"
    packages = {name.replace("_", "-").lower(): its for name, its in (environment_of(tags) or {}).items()}
    rows += [[name, packages[name], where] for name in PACKAGES if name in packages]
    return Table(
        heads=[*FACT, "where it stands"],
        rows=rows,
        source="",
        nothing="" if rows else "this home has no tags of the version: it was never switched to here",
    )


def data_table(bundle: Bundle, case: UseCase) -> Table:
    """The rows it learned from, and where they came from."""
    lineage = bundle.manifest.lineage
    tables = [[f"table {name}", url] for name, url in case.source.tables.items()]
    files = [
        [f"file of {table}: {name}", f"SHA-256 {digest}"]
        for table, its in sorted(lineage.get("files", {}).items())
        for name, digest in sorted(its.items())
    ]
    query = [["query that makes the rows", case.source.query]] if case.source.query else []
    delay, learned = case.source.label_delay, lineage.get("learned_rows")
    rows = [
        *(tables or [["database", "named by the use case"]]),
        *files,
        *query,
        ["rows", f"{lineage['rows']:,}"],
        ["snapshot of them", f"store/snapshots/{lineage['snapshot']}.parquet"],
        ["rows that it learned from", f"{learned:,}" if learned is not None else NOT_RECORDED],
        ["the last of them is of", lineage.get("learned_until") or "rows have no time"],
        ["labels known until", lineage.get("until") or "the time of the run"],
        *([["a label is known after", in_words(delay)]] if delay else []),
        ["held out", str(case.split.holdout)],
        ["read as missing", ", ".join(case.source.missing) or "blanks only"],
    ]
    return Table(heads=FACT, rows=rows, source=manifest(bundle))


def columns_table(bundle: Bundle, case: UseCase) -> Table:
    """What goes in and comes out, as the contract has it."""
    contract, protected = bundle.contract, case.fairness.protected if case.fairness else []
    rows = [
        [column.name, column.kind, _values(column), "yes" if column.nullable else "no", _care(column, protected)]
        for column in contract.columns
    ]
    rows += [[name, "identifier", "logged, never shown to the model", "yes", ""] for name in contract.identifiers]
    rows += [
        [name, "protected", "never shown to the model", "", "protected"] for name in protected if name not in contract.names
    ]
    answers = ", ".join(map(str, contract.classes)) or "a number"
    rows.append([contract.target, f"what is predicted ({contract.problem})", answers, "no", ""])
    heads = ["column", "kind", "values", "may be missing", "care"]
    return Table(heads=heads, rows=rows, source=f"store/bundles/{bundle.digest}/contract.json")


def _values(column: Column) -> str:
    """How many, or between what: values themselves may say who a person is, and those of sensitive columns are not told."""
    if column.sensitive:
        return "not told"
    if column.categories:
        return f"{len(column.categories):,} different ones"
    if column.low is not None and column.high is not None:
        return f"{column.low:g} to {column.high:g}"
    return ""


def _care(column: Column, protected: list[str]) -> str:
    said = [*(["sensitive"] if column.sensitive else []), *(["protected"] if column.name in protected else [])]
    return ", ".join(said)


def rules_table(bundle: Bundle, case: UseCase) -> Table:
    """What the use case rules of release, log, monitoring and people, as the version was made with it."""
    log, watch, halted = case.log, case.monitoring, case.deploy.answer_when_halted
    retraining = ", ".join(case.retraining.on) or "nothing that is found"
    rows = [
        ["gates on held out rows", _listed(case.evaluation.gates)],
        ["fairness", _shown(case.fairness)],
        ["gates before any traffic", _shown(case.gates)],
        [
            "what replaces the version that serves",
            f"{case.promotion.metric}, confidence {case.promotion.confidence:g}",
        ],
        ["rollout", _shown(case.rollout)],
        ["replicas and platform", f"{case.deploy.replicas}, {case.deploy.platform}"],
        ["limits of one replica", _shown(case.deploy.resources)],
        ["clients need a key", case.deploy.authentication],
        ["sensitive columns in the log", log.sensitive],
        ["the log keeps records for", in_words(log.keep) if log.keep else "as long as nobody removes them"],
        ["answers that people look at", _shown(case.review)],
        ["answer after an emergency stop", "none, requests are refused" if halted is None else str(halted)],
        ["windows of monitoring", f"{watch.window}, looked at by {watch.schedule or 'nobody'}"],
        ["share of calm windows that may alarm", f"{watch.false_alarm_rate:g}"],
        ["objectives", _listed(watch.objectives)],
        ["what starts a retraining", retraining],
    ]
    return Table(heads=FACT, rows=rows, source=manifest(bundle))


def _shown(rule: Any) -> str:
    """A part of the use case as JSON, what is left out not told."""
    said = rule.model_dump(mode="json", exclude_defaults=True) if rule else None
    return "none" if said is None else json.dumps(said, ensure_ascii=False) if said else "as usual"


def _listed(rules: list[Any]) -> str:
    return "; ".join(_shown(rule) for rule in rules) or "none"


def manifest(bundle: Bundle) -> str:
    """Where it lies."""
    return f"store/bundles/{bundle.digest}/manifest.json"
