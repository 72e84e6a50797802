"""Notice: what a person whom an unfavourable answer was given to is told, from the record and the stored bundle.

What it must say is asked by 12 CFR 1002.9 (Regulation B) and by articles 13 to 15 and 22 of the GDPR; how, stands in a Jinja
template, `notice.html` beside this file or the use case's own (`reasons.notice`). What nobody here can know is marked in it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from configs.errors import CheckFailed, InputError
from configs.forms import in_words
from configs.schema import UseCase
from configs.settings import store
from serving.contract.contract import Contract
from serving.contract.heads.choose import head_of
from serving.contract.spelling import spelled
from serving.reasons.codes import read
from serving.scoring.bundle import read_bundle
from tasks.audit.marked import Marks, filled
from tasks.audit.pdf import pdf_of
from tasks.audit.why import Why
from tasks.explaining.counterfactuals import what_if
from tasks.explaining.values import Changed, Way, WhatIf
from tasks.review.decision import decision
from tasks.review.queue import standing
from tasks.review.values import Final
from tasks.store import Value

OWN = Path(__file__).with_name("notice.html")


class Said(Value):
    """A reason in words, as `serving/reasons/codes.py` tells it."""

    columns: list[str]
    says: str
    moved: float
    protected: bool = False


class Reviewed(Value):
    """What came of a review of the answer: `confirmed` says whether people looked; else their time was over (`on`, UTC)."""

    on: str
    confirmed: bool


class Notice(Value):
    """What a template knows as `notice`.

    `codes` are the reasons in words, `record` is what the model was given, by column, None what was not known. `learned` is
    how many rows it learned from, `kept` how long the log keeps records, empty where the use case does not say. `change` is
    what would have to change, where the use case says what may; its `told` has a sentence a way.
    `reviewed` is None where nothing sent the answer to people.
    """

    use_case: str
    prediction_id: str
    answered: str
    target: str
    answer: str | int | bool
    version: str
    bundle: str
    codes: list[Said]
    reasons: dict[str, Any]
    record: dict[str, str | None]
    learned: int | None
    kept: str
    change: WhatIf | None = None
    reviewed: Reviewed | None = None


class Page(NamedTuple):
    """HTML, and what in it a person must still write."""

    html: str
    to_write: list[str]


def notice_of(found: Why, use_case: UseCase | None) -> Notice:
    """The content of the notice; the use case is that of now, where it still has a file.

    Raises:
        InputError: the answer is not unfavourable, or no answer of the model; its version was released without `reasons`.
        CheckFailed: its reasons are not known, or the record is not as it was.
    """
    where, asked = f"prediction {found.prediction_id} of {found.use_case}", found.asked[-1]
    if found.wrong:
        raise CheckFailed(f"{where} is not as it was recorded: {found.wrong}")
    if found.reasons is None:
        raise CheckFailed(f"{where}: there are no reasons to tell: {found.unexplained}")
    if "codes" not in found.reasons:
        raise InputError(
            f"{where}: version {found.model['version']} was released without 'reasons' in its use case, so nothing says "
            "which answer is unfavourable"
        )
    bundle = read_bundle(store("bundles") / found.model["bundle"])
    unfavourable = read(bundle.codes).unfavourable
    final = _final(where, found, use_case)
    answer = _unfavourable(where, bundle.contract, unfavourable, asked.get("prediction"), final)
    keep: timedelta | None = use_case.log.keep if use_case else None
    return Notice(
        use_case=found.use_case,
        prediction_id=found.prediction_id,
        answered=str(asked["time"])[:19],
        target=bundle.contract.target,
        answer=answer,
        version=str(found.model["version"]),
        bundle=bundle.digest,
        codes=[Said(**code) for code in found.reasons["codes"]],
        reasons=found.reasons,
        record={name: _text(asked["features"].get(name)) for name in bundle.contract.names},
        learned=found.model.get("learned_rows"),
        kept=in_words(keep) if keep else "",
        change=what_if(use_case, asked, bundle.digest) if use_case and use_case.counterfactuals else None,
        reviewed=Reviewed(on=f"{final.time:%Y-%m-%dT%H:%M:%S}", confirmed=bool(final.people)) if final else None,
    )


def _final(where: str, found: Why, use_case: UseCase | None) -> Final | None:
    """What is final of the answer, where it went to people.

    Raises:
        CheckFailed: it waits for them, so it is no denial yet.
    """
    if use_case is not None and use_case.review is not None:
        stands = decision(use_case, found.prediction_id)
        if stands["state"] == "waiting":
            raise CheckFailed(
                f"{where} waits for people until {stands['due'][:16]}: there is no decision yet to give notice of"
            )
    finals = standing(found.use_case, found.prediction_id).finals
    return finals.get(found.prediction_id)


def _text(value: Any) -> str | None:
    return spelled(value) if isinstance(value, bool | int | float) else value


def _unfavourable(where: str, contract: Contract, unfavourable: list[Any], logged: Any, final: Final | None) -> Any:
    """The class that was answered, and holds; the log may have it as a text."""
    if not contract.classes:
        raise InputError(f"{where} is a number, and none of those is a denial; a notice is of classes")
    if logged is None:
        raise InputError(f"{where} was left to a person: the model denied nothing; whoever decides gives the reasons")
    answer, wanted = head_of(contract).label_of(logged), " or ".join(map(repr, unfavourable))
    if final is not None and final.answer != answer:
        people = f"{' and '.join(final.people)} overruled that" if final.people else "nobody decided in time"
        held = f"{where} was answered {answer!r}, but {people} on {final.time:%Y-%m-%d %H:%M}, and {final.answer!r} holds"
        if final.answer not in unfavourable:
            raise InputError(f"{held}, which is not unfavourable ({wanted}): there is nothing to give notice of")
        raise InputError(f"{held}: the model's reasons are not those of that decision; whoever decided gives the reasons")
    if answer not in unfavourable:
        raise InputError(
            f"{where} was answered {answer!r}, which is not unfavourable ({wanted}): there is nothing to give notice of"
        )
    return answer


def page_of(notice: Notice, template: Path = OWN) -> Page:
    """The notice as HTML; every value is escaped.

    Raises:
        InputError: there is no such template, or something in it is wrong; with the line.
    """
    write = Marks()
    return Page(filled("reasons.notice", template, notice=notice, write=write), write.left)


def _html(page: Page, notice: Notice) -> bytes:
    return page.html.encode()


def _pdf(page: Page, notice: Notice) -> bytes:
    return pdf_of(page.html, f"Notice {notice.prediction_id}", datetime.fromisoformat(notice.answered).replace(tzinfo=UTC))


FORMS: dict[str, Callable[[Page, Notice], bytes]] = {".html": _html, ".pdf": _pdf}  # by the ending of the file's name


EXAMPLE = Notice(
    use_case="example",
    prediction_id="0123456789abcdef",
    answered="2026-11-30T12:00:00",
    target="approve",
    answer=0,
    version="1",
    bundle="0" * 64,
    codes=[Said(columns=["debt"], says="debt is 41 % of income; at most 37 % is usual", moved=0.9, protected=True)],
    reasons={"class": 1, "scale": "log_odds", "base": 2.1, "contributions": {"debt": -0.9}},
    record={"debt": "41"},
    learned=1000,
    kept="",
    change=WhatIf(
        version="1",
        outcome="approved",
        ways=[
            Way(
                changes=[Changed(column="debt", was=41.0, value=36.0, says="debt had been 36 % of income")],
                distance=0.6,
                answer=1,
                output=[0.4, 0.6],
            )
        ],
        movable=["debt"],
        most=3,
        asked=120,
    ),
)
