"""Choose a mitigation by what each costs and gains."""

from __future__ import annotations

from collections.abc import Sequence

from configs.fairness import Fairness
from tasks.fairness.told import told_change
from tasks.fairness.values import Price


def chosen_of(rules: Fairness, prices: Sequence[Price]) -> tuple[Price, str]:
    """Which of them is taken, the first is the usual recipe, and why.

    The most accurate has the most right answers: what moves a threshold leaves every metric of the order of rows as it is.
    """
    usual = prices[0]
    told = "; ".join(f"{each.name}: {_told(each)}" for each in prices)
    if rules.choose == "table":
        return usual, f"no mitigation, until 'fairness.choose' names one ({told})"
    holding = [each for each in prices if each.found.verdict == "holds"]
    if not holding:
        return usual, f"no mitigation, since of none every criterion holds ({told})"
    best = max(holding, key=lambda each: each.right)
    if best is usual:
        return usual, f"no mitigation: the usual recipe is the most accurate of which every criterion holds ({told})"
    return best, f"mitigation {best.name!r}, the most accurate of which every criterion holds ({told})"


def _told(price: Price) -> str:
    changed = "".join(f", {change.what} {told_change(change)}" for change in price.changes)
    return f"{price.metric} {price.value:.4f}, {price.right:.1%} right, {price.found.verdict}{changed}"
