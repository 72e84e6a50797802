"""`slipway review`: what waits for people, one answer closely, and what they decide. Needs no service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.errors import InputError
from configs.forms import in_words
from configs.schema import UseCase
from tasks.monitoring.alerts.tell_reviews import tell
from tasks.people import may
from tasks.review.decide import confirm, override
from tasks.review.decision import decision
from tasks.review.queue import READERS, declared
from tasks.review.settle import settle
from tasks.review.show import show
from tasks.review.summary import summary
from tasks.review.values import Decision, Item, Kpis, Share, Shown, Summary

OF_ONE = ("show", "confirm", "override", "decision")
OF_READERS = ("list", "show", "summary")
ACTIONS = ("list", *OF_ONE, "summary")
MOST = 50  # lines of a list that people read
LONGEST = 12  # columns of reasons that are shown


def review(
    case: UseCase, action: str, prediction_id: str | None, said: dict[str, str | None], as_data: bool, screen: Console
) -> None:
    """Do what is asked: `said` holds `answer`, `reason` and `text` where they were given.

    Raises:
        InputError: it is nothing that can be done, or lacks something.
    """
    _check(action, prediction_id, said)
    if action in OF_READERS:
        may(READERS, f"see {'records' if prediction_id else 'what waits'} of {case.name}")
    given = {name: value or "" for name, value in said.items()}
    found: Any
    if action == "list":
        found = settle(case)
        _tell(case)
        if as_data:
            _data([item.model_dump(mode="json") for item in found])
        else:
            _list(case, found, screen)
    elif action == "summary":
        found = summary(case)
        _data(found.model_dump(mode="json")) if as_data else _summary(found, screen)
    elif action == "show":
        found = show(case, str(prediction_id))
        _data(found.model_dump(mode="json")) if as_data else _show(found, screen)
        if case.counterfactuals and not as_data:
            _say(screen, f"What would have to change: slipway audit why {prediction_id} --use-case {case.name} --change")
    elif action == "decision":
        found = decision(case, str(prediction_id))
        _data(found) if as_data else _say(screen, _sentence(found))
    else:
        made = (
            confirm(case, str(prediction_id), given["text"])
            if action == "confirm"
            else override(case, str(prediction_id), given["answer"], given["reason"], given["text"])
        )
        _tell(case)
        stands = decision(case, made.prediction_id)
        _data(stands) if as_data else _said(made, stands, screen)


def _check(action: str, prediction_id: str | None, said: dict[str, str | None]) -> None:
    if action not in ACTIONS:
        raise InputError(f"{action!r} is nothing that a review does; use {', '.join(ACTIONS)}")
    if action in OF_ONE and not prediction_id:
        raise InputError(f"'{action}' is about one answer: slipway review NAME {action} PREDICTION_ID")
    if action not in OF_ONE and prediction_id:
        raise InputError(f"'{action}' is about all answers; leave {prediction_id!r} out")
    if action == "override" and said["answer"] is None:
        raise InputError("'override' gives another answer than the model's: --answer ... --reason '...'")
    wanted = {"override": ("answer", "reason", "text"), "confirm": ("text",)}.get(action, ())
    for name, value in said.items():
        if value is not None and name not in wanted:
            raise InputError(f"'{action}' takes no --{name}")


def _tell(case: UseCase) -> None:
    for channel, why in tell(case).items():
        _say(Console(stderr=True), f"Not told yet, tried again by the next look: {channel}: {why}")


def _list(case: UseCase, items: list[Item], screen: Console) -> None:
    now, persons = datetime.now(UTC), declared(case).persons
    if not items:
        _say(screen, f"No answer of {case.name} waits for a person")
        return
    table = Table(title=f"{len(items):,} answers of {case.name} wait for a person", title_justify="left")
    for column in ("prediction", "answered", "answer", "why it waits", "time left"):
        table.add_column(column, overflow="fold", no_wrap=column in ("prediction", "time left"))
    for item in items[:MOST]:
        why = ", ".join(item.why) + (f"; {len(item.said)} of {persons} have decided" if item.said else "")
        age = f"{in_words(now - item.asked)} ago"
        cells = (item.prediction_id, age, _answer(item.model_answer), why, in_words(item.due - now))
        table.add_row(*(Text(cell) for cell in cells))
    screen.print(table)
    if len(items) > MOST:
        _say(screen, f"{len(items) - MOST:,} more, less urgent; --json has all")
    _say(screen, f"More of one: slipway review {case.name} show {items[0].prediction_id}")


def _show(found: Shown, screen: Console) -> None:
    screen.print(
        _pairs(f"prediction {found.prediction_id} of {found.use_case}, {found.asked:%Y-%m-%d %H:%M} UTC", found.record)
    )
    output = {name: f"{value:g}" for name, value in found.output.items()}
    answer = {"answer": _answer(found.model_answer), **output, "by": f"version {found.version}"}
    screen.print(_pairs("what the model answered", answer))
    screen.print(_reasons(found)) if found.reasons else _say(screen, f"No reasons: {found.no_reasons}")
    if found.similar:
        screen.print(_similar(found.similar))
    for each in found.decisions:
        _say(
            screen, f"{each.time:%Y-%m-%d %H:%M} {each.how} by {each.by}: {each.answer!r}. {each.reason} {each.text}".strip()
        )
    if found.final is not None:
        _say(screen, _sentence(found.final.told(found.use_case)))
    elif found.waits is None:
        _say(screen, "Nothing sends it to people: the model's answer stands")
    else:
        for line in _how(found, found.waits):
            _say(screen, line)


def _how(found: Shown, item: Item) -> Iterator[str]:
    yield f"It waits because of: {', '.join(item.why)}. Until {item.due:%Y-%m-%d %H:%M} UTC"
    if item.said:
        yield f"{len(item.said)} have decided, and the answer needs another; what they said is told when it is final"
    if found.choices:
        yield f"Answers: {', '.join(map(_answer, found.choices))}"
    yield f"Reasons: {', '.join(map(repr, found.override_reasons))}"
    command = f"slipway review {found.use_case}"
    yield f"{command} confirm {found.prediction_id}"
    yield f"{command} override {found.prediction_id} --answer ... --reason '{found.override_reasons[0]}'"


def _reasons(found: Shown) -> Table:
    made_of = found.reasons or {}
    table = Table(title=f"what the columns added ({made_of['scale']}, from {made_of['base']:.3f})", title_justify="left")
    for column in ("column", "value", "added"):
        table.add_column(column, overflow="fold", justify="right" if column == "added" else "left")
    for name, added in [*made_of["contributions"].items()][:LONGEST]:
        table.add_row(Text(name), Text(_answer(found.record.get(name))), f"{added:+.3f}")
    return table


def _similar(cases: list[dict[str, Any]]) -> Table:
    table = Table(title="the cases that are most like it", title_justify="left")
    for column in ("prediction", "answered", "distance", "answer", "label", "people"):
        table.add_column(column, overflow="fold", no_wrap=column == "prediction")
    for case in cases:
        people = f"{case['decision']}: {_answer(case['decided'])}" if case["decision"] else "-"
        cells = (case["prediction_id"], case["asked"][:16], f"{case['distance']:.3f}", _answer(case["answer"]))
        table.add_row(*(Text(cell) for cell in (*cells, _answer(case["label"]), people)))
    return table


def _summary(found: Summary, screen: Console) -> None:
    table = Table(title=f"{found.use_case}: {found.decided:,} decided, {found.waiting:,} wait", title_justify="left")
    for column in ("group", "decided", "overridden", "late", "two people agree", "beyond chance"):
        table.add_column(column, overflow="fold")
    table.add_row("all", *_cells(found.whole))
    for column, groups in found.groups.items():
        for name, kpis in groups.items():
            table.add_row(Text(f"{column} {name}"), *_cells(kpis))
    screen.print(table)
    for name, why in found.unseen.items():
        _say(screen, f"Not by {name}: {why}")
    _say(screen, f"Each share with its {found.confidence:.0%} interval, of how many")


def _cells(kpis: Kpis) -> list[str]:
    shares = (kpis.overridden, kpis.late, kpis.agreement, kpis.beyond_chance)
    return [f"{kpis.finals:,}", *map(_share, shares)]


def _share(share: Share | None) -> str:
    return "-" if share is None else f"{share.value:.3f} ({share.lower:.2f} to {share.upper:.2f}) of {share.count:,}"


def _said(made: Decision, stands: dict[str, Any], screen: Console) -> None:
    _say(screen, f"Prediction {made.prediction_id} is {made.how} by {made.by}: {made.answer!r}")
    if stands["state"] == "waiting":
        _say(screen, f"It waits for somebody else, until {stands['due'][:16]}")


def _sentence(stands: dict[str, Any]) -> str:
    name, answer = f"Prediction {stands['prediction_id']}", _answer(stands.get("answer"))
    if stands["state"] == "not reviewed":
        return f"{name}: nothing sends it to people; the model's answer stands: {answer}"
    if stands["state"] == "waiting":
        return f"{name} waits for people until {stands['due'][:16]}; the model's answer: {_answer(stands['model_answer'])}"
    if stands["how"] == "late":
        return f"{name}: nobody decided by {stands['time'][:16]}, so this holds: {answer}"
    people = " and ".join(stands["people"])
    return f"{name} was {stands['how']} by {people} on {stands['time'][:16]}: {answer} {stands['reason']}".strip()


def _pairs(title: str, values: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for _ in range(2):
        table.add_column("", overflow="fold")
    for name, value in values.items():
        table.add_row(Text(name), Text(_answer(value)))
    return table


def _answer(value: Any) -> str:
    """None is no answer, which is not the text of that name."""
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def _data(found: Any) -> None:
    print(json.dumps(found, indent=1, ensure_ascii=False))


def _say(screen: Console, text: str) -> None:
    screen.print(text, markup=False, highlight=False, soft_wrap=True)
