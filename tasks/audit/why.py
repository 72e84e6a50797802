"""Why: all that the home knows of one prediction, and the proof that it is in the record. Needs no service.

What was asked and answered, for which reasons, by which version and variant, on which data and configuration; who decided
what about that version; which labels came. Proven is the record itself: its row in the part, the part's rows in the tree,
the tree under the last checkpoint.
"""

from __future__ import annotations

from typing import Any

from configs.errors import InputError
from configs.settings import home
from tasks.audit.made_from import made_from
from tasks.audit.outside import Checkpoint
from tasks.audit.prove import prove
from tasks.audit.reviewed import reviews_of
from tasks.audit.values import Again, Rebuilt
from tasks.explaining.reasons import explained
from tasks.explaining.values import WhatIf
from tasks.history import read_history
from tasks.log.erased import refuse_erased
from tasks.log.find import Found, find_records
from tasks.store import Value

DECISIONS = ("gate", "verdict", "deploy", "rollout", "quarantine")


class Why(Value):
    """The answer. Each of `asked` is a record of the prediction (a request that was sent twice is logged twice).

    `reasons` are those of the answer, as the server tells them; where there are none `unexplained` says why. `reviews` is
    what people decided about this answer, `model` what the version was made from, `decisions` are the lines of the history
    about that. `proof` is what `verify.py --proof` checks; `proven` says it in a sentence, and `wrong` what does not hold.
    `again` and `rebuilt` are there where somebody had the model asked again, or trained again, and `change` where somebody
    asked what would have to change.
    """

    use_case: str
    prediction_id: str
    asked: list[dict[str, Any]]
    shadows: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    reasons: dict[str, Any] | None
    unexplained: str
    reviews: list[dict[str, Any]]
    model: dict[str, Any]
    decisions: list[dict[str, Any]]
    proof: dict[str, Any] | None
    proven: str
    wrong: str = ""
    again: Again | None = None
    rebuilt: Rebuilt | None = None
    change: WhatIf | None = None


def why(use_case: str, prediction_id: str, since: Checkpoint | None = None) -> Why | None:
    """What is known of a prediction; None where the use case's log has none of that id.

    With `since`, a checkpoint that somebody holds, it is proven too that the record has only grown since.

    Raises:
        CheckFailed: it was erased, or the log cannot be read.
    """
    found = find_records(use_case, prediction_id)
    asked = [each for each in found if each.record["kind"] == "prediction"]
    if not asked:
        refuse_erased(use_case, prediction_id)
        return None
    version = str(asked[-1].record["model_version"])
    model, proof = made_from(use_case, version), prove(use_case, asked[-1], since)
    reasons, unexplained = explained(asked[-1].record, model["bundle"])
    return Why(
        use_case=use_case,
        prediction_id=prediction_id,
        asked=_of_kind(found, "prediction"),
        shadows=_of_kind(found, "shadow"),
        labels=sorted(_of_kind(found, "feedback"), key=lambda label: str(label["time"])),
        reasons=reasons,
        unexplained=unexplained,
        reviews=reviews_of(use_case, [prediction_id]),
        model=model,
        decisions=[entry for entry in read_history(use_case) if _is_about(entry, version)],
        proof=proof.data,
        proven=proof.told,
        wrong=proof.wrong,
    )


def asked_of(prediction_id: str, use_case: str | None, since: Checkpoint | None = None) -> Why:
    """The same, of whichever use case of this home has it.

    Raises:
        InputError: none has, or several have.
        CheckFailed: it was erased, or a log cannot be read.
    """
    names = [use_case] if use_case else [path.parent.name for path in sorted(home().glob("use_cases/*/predictions"))]
    if use_case and not (home() / "use_cases" / use_case / "predictions").is_dir():
        raise InputError(f"use case {use_case!r} has no prediction log in {home()}")
    found = [each for name in names if (each := why(name, prediction_id, since)) is not None]
    if len(found) > 1:
        raise InputError(f"{', '.join(each.use_case for each in found)} have a prediction {prediction_id!r}; add --use-case")
    if not found:
        dropped = "".join(_dropped(name) for name in names)
        raise InputError(f"no prediction {prediction_id!r} is in the log of {', '.join(names) or 'this home'}{dropped}")
    return found[0]


def _of_kind(found: list[Found], kind: str) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in each.record.items() if name != "kind"}
        for each in found
        if each.record["kind"] == kind
    ]


def _is_about(entry: dict[str, Any], version: str) -> bool:
    return entry["what"] in DECISIONS and version in (entry.get("version"), entry.get("previous"), entry.get("against"))


def _dropped(use_case: str) -> str:
    days = [day for entry in read_history(use_case, "log-retention") for day in entry["days"]]
    return f"; {use_case}: retention has dropped the days up to {max(days)}" if days else ""
