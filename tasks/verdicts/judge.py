"""From an interval that holds at all times to a verdict.

With d = how much worse the challenger is, and the interval [lower, upper] of a confidence sequence at level alpha:

- worse: lower > margin. The challenger is worse by more than what does not matter.
- better: upper < 0.
- equivalent: upper <= margin. It is no worse by more than the margin; how much better it may be does not matter.
- undecided: anything else, and always where there are fewer than `LEAST` points on a side.

A confidence sequence misses the truth at any of all looks together with a chance of alpha at most. So a challenger as good
as the champion (d = 0 <= margin) is called worse at any look with that chance at most, however often one looks and whenever
one stops: Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences" (Annals of
Statistics, 2021).
"""

from __future__ import annotations

from tasks.verdicts.values import Says, Verdict

LEAST = 30  # points on each side: below, nothing is said


def judged(
    check: str,
    margin: float,
    level: float,
    points: tuple[int, int],
    found: tuple[float, float, float] | None,
    unit: str = "",
) -> Verdict:
    """The verdict on an estimate, lower and upper bound of how much worse the challenger is; None where there is none.

    >>> judged("errors", 0.01, 0.05, (500, 500), (0.03, 0.02, 0.04)).verdict
    'worse'
    >>> judged("errors", 0.01, 0.05, (500, 500), (0.0, -0.02, 0.009)).verdict
    'equivalent'
    >>> judged("errors", 0.01, 0.05, (500, 500), (-0.03, -0.05, -0.01)).verdict
    'better'
    >>> judged("errors", 0.01, 0.05, (500, 12), (0.5, 0.4, 0.6)).reason
    'errors: 500 and 12 points; nothing is said of fewer than 30 on a side'
    """
    common = {"check": check, "margin": margin, "level": level, "points": points}
    if found is None or min(points) < LEAST:
        told = f"{check}: {points[0]:,} and {points[1]:,} points; nothing is said of fewer than {LEAST} on a side"
        return Verdict(verdict="undecided", reason=told, **common)
    estimate, lower, upper = found
    says: Says = "undecided"
    if lower > margin:
        says = "worse"
    elif upper < 0:
        says = "better"
    elif upper <= margin:
        says = "equivalent"
    return Verdict(
        verdict=says,
        reason=f"{check}: {_told(estimate, unit)} [{lower:+.3g}, {upper:+.3g}], {_words(says, margin)}",
        estimate=estimate,
        lower=lower,
        upper=upper,
        **common,
    )


def _told(estimate: float, unit: str) -> str:
    return f"{abs(estimate):.3g}{unit} {'worse' if estimate > 0 else 'better'} than the reference"


def _words(says: Says, margin: float) -> str:
    return {
        "worse": f"worse by more than {margin:g}",
        "better": "better beyond chance",
        "equivalent": f"no worse by more than {margin:g}",
        "undecided": f"which may be chance, or within {margin:g}",
    }[says]
