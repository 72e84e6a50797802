"""Sheets: a comparison as titled tables, for the terminal, the page and the artifact alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from tasks.comparing.values import Answer, Changed, Differing, Estimate, Fact, Groups, Measured, Origin, SideBySide
from tasks.fairness.told import remarks, told_gap, told_number
from tasks.page import Sheet

NOTHING = "—"


def sheets(found: SideBySide) -> list[Sheet]:
    """In the order in which a person asks."""
    facts, named = found.facts, [f"v{number}" for number in found.versions]
    return [
        _facts("Data", facts.data, named),
        _facts("Model", facts.model, named),
        _facts("Configuration that differs", facts.configuration, named, "No key of the recorded use cases differs."),
        _facts("Python and packages that differ", facts.environment, named, "Python, packages, code and lock are the same."),
        *(Sheet("Note", remark, [], []) for remark in facts.remarks),
        *_metrics(found),
        *(_groups(found.groups) if found.groups else ()),
        *(sheet for changed in found.changed for sheet in _changes(changed, found.basis.rows)),
        *_origins(found.origins),
    ]


def _facts(title: str, facts: Sequence[Fact], named: list[str], otherwise: str = "") -> Sheet:
    rows = [[fact.what, *map(text, fact.values.values())] for fact in facts]
    return Sheet(title, "" if rows else otherwise, ["", *named] if rows else [], rows)


def _metrics(found: SideBySide) -> Iterator[Sheet]:
    if not found.basis.answers:
        names = dict.fromkeys(name for own in found.own for name in own.metrics)
        told = " ".join(f"Version {own.version}: {own.told}." for own in found.own if own.told)
        yield Sheet(
            "Own evaluations, NOT comparable",
            f"No rows are fair to all: {found.basis.told}. Each version was judged on its own holdout, so nothing follows "
            f"from a difference. {told}".strip(),
            ["metric", *(f"v{own.version} on its {own.rows:,} rows" for own in found.own)],
            [[name, *(text(own.metrics.get(name)) for own in found.own)] for name in names],
        )
        return
    by = "; ".join(f"v{number}: {who}" for number, who in found.basis.by.items())
    how = "Behind ± stands the interval of 95 %; ↑ more is better, ↓ less; a positive gain is always better."
    note = f"{found.basis.rows:,} rows {found.basis.told}. Who answers: {by}. {how}"
    whole = [each for each in found.measured if each.where == "all"]
    parts = [each for each in found.measured if each.where != "all"]
    yield _measured("Metrics on rows that none learned from", note, "metric", whole, lambda each: _pointing(each))
    if parts:
        yield _measured(f"{found.metric} by slice", "", "rows where", parts, lambda each: f"{each.where} ({each.rows:,})")


def _groups(groups: Groups) -> Iterator[Sheet]:
    """What must be alike between groups, and each group's own numbers, of every version."""
    named = [f"v{number}" for number in groups.found]
    one = next(iter(groups.found.values()))
    by_criterion = list(zip(*(each.judged for each in groups.found.values()), strict=True))
    note = (
        f"{f'The favourable answer is {one.favourable}. ' if one.favourable else ''}In brackets stand intervals; those of "
        f"one version's comparisons hold together with {one.confidence:g}.{remarks(one)}"
    )
    rows = [
        [each[0].criterion, each[0].measure, each[0].by, each[0].bound, *(f"{told_gap(its)}, {its.verdict}" for its in each)]
        for each in by_criterion
    ]
    yield Sheet("Fairness: how far apart groups are", note, ["criterion", "measure", "by", "bound", *named], rows)
    gains = {(each.by, each.measure, each.group): each.gains for each in groups.gains}
    pairs = [f"gain {before} → {after}" for before, after in combinations(named, 2)]
    rows = [
        [judged[0].by, numbers[0].group, judged[0].measure, *map(told_number, numbers)]
        + [_gain(gain.estimate) for gain in gains.get((judged[0].by, judged[0].measure, numbers[0].group), [])]
        for judged in by_criterion
        for numbers in zip(*(each.groups for each in judged), strict=True)
    ]
    rows = [row + [NOTHING] * (3 + len(named) + len(pairs) - len(row)) for row in rows]
    note = "A positive gain is better for the group: more favourable answers, or fewer errors."
    yield Sheet("Fairness: each group", note, ["by", "group", "measure", *named, *pairs], rows)


def _measured(title: str, note: str, head: str, found: Sequence[Measured], named: Callable[[Measured], str]) -> Sheet:
    gains = [f"gain v{gain.before} → v{gain.after}" for gain in found[0].gains]
    heads = [head, *(f"v{number}" for number in found[0].values), *gains]
    rows = [
        [named(each), *map(_estimate, each.values.values()), *(_gain(gain.estimate) for gain in each.gains)]
        for each in found
    ]
    return Sheet(title, note, heads, rows)


def _pointing(each: Measured) -> str:
    return f"{each.metric} {'↑' if each.greater_is_better else '↓'}"


def _changes(changed: Changed, rows: int) -> Iterator[Sheet]:
    before, after = f"v{changed.before}", f"v{changed.after}"
    heads, cells = changed.picture.table(before, after)
    note = f"{changed.differ:,} of {rows:,} rows are answered differently ({changed.differ / rows:.1%})."
    yield Sheet(f"Answers, {before} → {after}", note, heads, [list(map(text, row)) for row in cells])
    if not changed.most:
        return
    title, told = f"Rows most apart, {before} → {after}", "Sensitive columns stand as the prediction log has them."
    heads = ["row", "time", "label", before, after, "values"]
    yield Sheet(title, told, heads, [_row(each) for each in changed.most])


def _row(each: Differing) -> list[str]:
    values = ", ".join(f"{name} {_plain(value)}" for name, value in each.values.items())
    return [str(each.row), each.time[:16], text(each.label), _answer(each.before), _answer(each.after), values]


def _plain(value: Any) -> str:
    """A value among others: without separators, and no digits that 32 bits do not have."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.7g}"
    return NOTHING if value is None else str(value)


def _origins(origins: Sequence[Origin]) -> Iterator[Sheet]:
    lines: list[tuple[str, Callable[[Origin], str]]] = [
        ("parent", lambda each: each.parent and f"v{each.parent}"),
        ("cause", lambda each: each.cause),
        ("trained by", lambda each: each.trained_by),
        ("verdict", lambda each: "\n".join(each.verdicts)),
        ("gates", lambda each: "\n".join(each.gates)),
        ("deployed", lambda each: "\n".join(f"{d.time} by {d.by}: {d.reason}" for d in each.deployed) or "never"),
        ("serves now", lambda each: "yes" if each.serves else "no"),
    ]
    heads = ["", *(f"v{each.version}" for each in origins)]
    yield Sheet("Lineage", "", heads, [[what, *(said(each) or NOTHING for each in origins)] for what, said in lines])


def _answer(answer: Answer) -> str:
    return f"{answer.said} ({answer.score:.3f})" if isinstance(answer.said, str) else text(answer.said)


def _estimate(estimate: Estimate | None) -> str:
    return f"{estimate.value:.4f} ± {estimate.upper - estimate.value:.4f}" if estimate else NOTHING


def _gain(estimate: Estimate | None) -> str:
    return f"{estimate.value:+.4f} ± {estimate.upper - estimate.value:.4f}" if estimate else NOTHING


def text(value: Any) -> str:
    """A cell: numbers as people write them, and a dash for what is not there.

    >>> text(49426), text(0.123456), text(None), text(True), text(2e-7)
    ('49,426', '0.1235', '—', 'true', '2e-07')
    """
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return (
        f"{value:.4g}"
        if isinstance(value, float) and abs(value) < 10_000
        else f"{value:,.1f}"
        if isinstance(value, float)
        else str(value)
    )


def markdown(found: Sequence[Sheet]) -> str:
    """For Prefect."""
    return "\n\n".join(_markdown(sheet) for sheet in found)


def _markdown(sheet: Sheet) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"

    table = [line(sheet.heads), "|" + "---|" * len(sheet.heads), *map(line, sheet.rows)] if sheet.rows else []
    return "\n\n".join(filter(None, [f"## {sheet.title}", sheet.note, "\n".join(table)]))
