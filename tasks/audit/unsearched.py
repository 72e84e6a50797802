"""Unsearched: the places that may hold a person and that nobody can look through for them, each with why."""

from __future__ import annotations

from pathlib import Path

from configs.schema import UseCase
from configs.settings import home


def unsearched(use_case: UseCase) -> list[str]:
    """One line each; of what lies in the home only what is there."""
    reports = home() / "reports" / use_case.name
    there = {
        reports: f"reports ({_files(reports)} files): counts and curves, and which values broke a rule, without whose; "
        "nothing deletes them by itself",
        home() / "evidently": "Evidently's workspace: distributions of windows, no rows; nothing deletes them by itself",
        home() / "mlflow": "MLflow: bundles, figures, configurations, no rows; but a bundle from before rows stayed in the "
        "store holds its reference and holdout, until its run is deleted and 'mlflow gc' has run",
        home() / "prefect": "Prefect: digests, figures, and what people typed into forms; until a flow run is deleted there",
    }
    return [
        *(text for path, text in there.items() if path.exists()),
        "the models themselves: what one learned from a row is not taken out but by training again without it",
        "the history and the audit record: no values, but what somebody wrote into a reason; they are kept for good",
        "the use case's file, rollouts and traffic plans: a cohort or a rule may name a person's value; read them",
        "outside of this home, which cannot see it: the source and its backups, files that 'slipway score' wrote, backups "
        "of the home, the clients' own logs",
        "who read files of the log, or asked 'audit why', which nothing records; reads by 'audit subject' are recorded",
    ]


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))
