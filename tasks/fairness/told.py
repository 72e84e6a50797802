"""What a judgement found, as people read it: a line, rows of a table, a section of a page, numbers by name."""

from __future__ import annotations

from typing import Any

from tasks.fairness.values import Change, FairnessFound, GroupNumber, Judged, Price

FEW = "too few to say"


def told_judged(judged: Judged) -> str:
    """A criterion in a few words.

    >>> from tasks.fairness.values import Gap
    >>> gap = Gap(smaller="1", larger="0", value=0.7, lower=0.6, upper=0.79)
    >>> told_judged(Judged(criterion="selection_rate", measure="selection_rate", by="black", bound="ratio >= 0.8",
    ...     verdict="violated", groups=[], gap=gap))
    'selection_rate by black: 1 over 0: 0.700 (0.600 to 0.790), bound ratio >= 0.8, violated'
    """
    measure = judged.measure if judged.criterion == judged.measure else f"{judged.criterion}, {judged.measure}"
    said = f", {judged.verdict}" if judged.gap else ""
    return f"{measure} by {judged.by}: {told_gap(judged)}, bound {judged.bound}{said}"


def told_gap(judged: Judged) -> str:
    """Of which two groups the number is, and its interval."""
    gap = judged.gap
    if gap is None:
        return FEW
    pair = f"{gap.smaller} over {gap.larger}" if judged.by_ratio else f"{gap.larger} less {gap.smaller}"
    return f"{pair}: {gap.value:.3f} ({gap.lower:.3f} {'or more' if gap.upper is None else f'to {gap.upper:.3f}'})"


def told_number(number: GroupNumber) -> str:
    """A group's measure and its interval, and of how many rows."""
    if number.value is None:
        return f"{FEW} ({number.rows:,} rows)"
    return f"{number.value:.3f} ({number.lower:.3f} to {number.upper:.3f}; {number.rows:,} rows)"


def rows_of(found: FairnessFound) -> list[dict[str, Any]]:
    """A row a criterion and column, for a table of Prefect's."""
    return [
        {
            "criterion": each.criterion,
            "measure": each.measure,
            "by": each.by,
            "bound": each.bound,
            "verdict": each.verdict,
            "farthest apart": told_gap(each),
            "groups": "; ".join(f"{group.group}: {told_number(group)}" for group in each.groups),
        }
        for each in found.judged
    ]


def section(found: FairnessFound) -> str:
    """The judgement as Markdown, under a heading of the page's own: comparisons, then every group."""
    if not found.judged:
        return f"Nothing is judged.{remarks(found)}\n"
    compared = "".join(
        _row(*(row[name] for name in ("criterion", "measure", "by", "farthest apart", "bound", "verdict")))
        for row in rows_of(found)
    )
    groups = "".join(
        _row(each.by, group.group, each.measure, told_number(group)) for each in found.judged for group in each.groups
    )
    favourable = f"The favourable answer is `{found.favourable}`. " if found.favourable else ""
    return f"""{favourable}{found.rows:,} rows; the intervals of all {found.comparisons} comparisons hold together with
{found.confidence:g}.{remarks(found)}

| criterion | measure | by | farthest apart | bound | |
|---|---|---|---|---|---|
{compared}
| by | group | measure | in the group |
|---|---|---|---|
{groups}{_proxies(found)}"""


def _proxies(found: FairnessFound) -> str:
    """The columns that tell a protected one best; nothing where they were not looked for."""
    rows = "".join(_row(each.of, each.column, f"{each.auc:.3f}") for each in found.proxies)
    heads = "| protected | is told by | AUC (0.5 is nothing) |\n|---|---|---|\n"
    return f"\n{heads}{rows}" if rows else ""


def _row(*cells: str) -> str:
    """A line of a Markdown table; a group may have any name."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def remarks(found: FairnessFound) -> str:
    """Rows without a group, and columns that are not there; each a sentence behind a space."""
    unknown = "".join(f" {count:,} rows have no {name!r}." for name, count in found.unknown.items())
    return unknown + "".join(f" {name!r} is not judged: {why}." for name, why in found.unseen.items())


def numbers_of(found: FairnessFound) -> dict[str, float]:
    """For MLflow: of each measure the farthest apart of all columns, by a name that MLflow takes."""
    numbers: dict[str, float] = {}
    for each in found.judged:
        if each.gap is not None:
            way, worse = ("ratio", min) if each.by_ratio else ("difference", max)
            name = f"fairness_{each.measure}_{way}"
            numbers[name] = worse(each.gap.value, numbers.get(name, each.gap.value))
    return numbers


def prices_of(prices: list[Price]) -> list[dict[str, Any]]:
    """A row a candidate, for a table of Prefect's."""
    return [
        {
            "mitigation": each.name,
            each.metric: f"{each.value:.4f}",
            "right": f"{each.right:.2%}",
            "verdict": each.found.verdict,
            "groups": "; ".join(told_judged(one) for one in each.found.judged),
            **{f"gain of {change.what}": told_change(change) for change in each.changes},
        }
        for each in prices
    ]


def told_change(change: Change) -> str:
    """A change and its interval.

    >>> told_change(Change(what="roc_auc", value=-0.01, lower=-0.02, upper=0.001))
    '-0.0100 (-0.0200 to +0.0010)'
    """
    return f"{change.value:+.4f} ({change.lower:+.4f} to {change.upper:+.4f})"
