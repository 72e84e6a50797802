"""`python -m benchmarks.rollouts [MEASURE]... [NUMBER] [USE_CASE]`: what rollouts and their verdicts are worth.

false_rollbacks, power, past, whole: verdicts that are looked at often, over NUMBER simulated rollouts a row (2,000), by the
comparisons of the product (`tasks/verdicts/`). shares: NUMBER requests (100,000) to a real server with a traffic plan.
faults: broken challengers of a USE_CASE (loans, adult or bike), each NUMBER times (3).
"""

from __future__ import annotations

import sys

from rich.console import Console

from benchmarks.rollouts.false_rollbacks import false_rollbacks
from benchmarks.rollouts.faults import FAULTS, faults
from benchmarks.rollouts.past import past
from benchmarks.rollouts.power import power
from benchmarks.rollouts.shares import shares
from benchmarks.rollouts.whole import whole

MEASURES = {
    "false_rollbacks": (false_rollbacks, 2000),
    "power": (power, 2000),
    "past": (past, 2000),
    "whole": (whole, 2000),
    "shares": (shares, 100_000),
    "faults": (faults, 3),
}


def main(words: list[str]) -> int:
    """Run what is asked for."""
    runs = [int(word) for word in words if word.isdigit()]
    cases = [word for word in words if word in FAULTS]
    names = [word for word in words if not word.isdigit() and word not in FAULTS]
    if unknown := set(names) - set(MEASURES):
        print(f"error: {', '.join(unknown)}: unknown\n{__doc__}", file=sys.stderr)
        return 2
    for name in names or MEASURES:
        measure, usual = MEASURES[name]
        measure(Console(width=140), runs[0] if runs else usual, *(cases if name == "faults" else ()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
