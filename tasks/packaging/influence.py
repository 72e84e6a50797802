"""Influence: what moves the answers, as the model card tells it."""

from __future__ import annotations

from tasks.explaining.values import Effect, Importance, Influence

MOST = 20  # columns in the table


def section(found: Influence | None) -> str:
    """The card's section; nothing of a version whose influence was not measured."""
    if found is None:
        return ""
    effects = {each.column: told(each) for each in found.effects}
    rows = "\n".join(_row(each, effects.get(each.column, "")) for each in found.columns[:MOST])
    more = f"\n\nAnd {len(found.columns) - MOST} columns more." * (len(found.columns) > MOST)
    return f"""
## What moves the answers

Importance is the {found.how}. {found.rows:,} held out rows; intervals of 95 %. The effect is how far the
answer lies from its mean where the column makes it lowest, and highest (accumulated local effects, Apley & Zhu 2020).

| column | {found.unit} | 95 % | effect |
|---|---|---|---|
{rows}{more}
"""


def _row(its: Importance, effect: str) -> str:
    return f"| `{_place(its.column)}` | {its.value:.3g} | {its.lower:.3g} to {its.upper:.3g} | {effect} |"


def told(effect: Effect) -> str:
    """Of the answer that changes most, where it is lowest and where highest.

    >>> told(Effect(column="x", ordered=True, at=[1.0, 2.5], answers={"value": [-3.0, 4.0]}))
    '-3 (at 1) to +4 (at 2.5)'
    """
    name, curve = max(effect.answers.items(), key=lambda each: max(each[1]) - min(each[1]))
    low, high = (curve.index(end) for end in (min(curve), max(curve)))
    which = f" of {name}" if len(effect.answers) > 1 else ""
    return f"{curve[low]:+.2g} (at {_place(effect.at[low])}) to {curve[high]:+.2g} (at {_place(effect.at[high])}){which}"


def _place(value: float | str) -> str:
    return value.replace("|", "\\|") if isinstance(value, str) else f"{value:.4g}"
