"""What often looked at verdicts are worth: `python -m benchmarks.rollouts [false_rollbacks|power|past|whole]... [RUNS]`.

RUNS simulated rollouts a row, 2,000 unless said. The comparisons are those of the product (`tasks/verdicts/`).
"""

from __future__ import annotations

import sys

from rich.console import Console

from benchmarks.rollouts.false_rollbacks import false_rollbacks
from benchmarks.rollouts.past import past
from benchmarks.rollouts.power import power
from benchmarks.rollouts.whole import whole

MEASURES = {"false_rollbacks": false_rollbacks, "power": power, "past": past, "whole": whole}


def main(words: list[str]) -> int:
    """Run what is asked for."""
    runs = [int(word) for word in words if word.isdigit()]
    names = [word for word in words if not word.isdigit()]
    if unknown := set(names) - set(MEASURES):
        print(f"error: {', '.join(unknown)}: unknown\n{__doc__}", file=sys.stderr)
        return 2
    for name in names or MEASURES:
        MEASURES[name](Console(width=140), runs[0] if runs else 2000)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
