"""`python -m benchmarks.monitoring [MEASURE]...`: the monitoring beside the defaults of Evidently and NannyML.

The data of adult, bank marketing, bikes and banking77 is read from `SLIPWAY_DATA`; NannyML, where it is installed in
`.bench/nannyml`.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from benchmarks.monitoring.alarms import false_alarms, power
from benchmarks.monitoring.concept import concept
from benchmarks.monitoring.estimates import estimates
from benchmarks.monitoring.events import events
from benchmarks.monitoring.reasons import reasons
from benchmarks.monitoring.scale import scale
from benchmarks.monitoring.speed import speed
from benchmarks.monitoring.worth import worth

MEASURES = {
    "false-alarms": false_alarms,
    "power": power,
    "reasons": reasons,
    "concept": concept,
    "estimates": estimates,
    "scale": scale,
    "events": events,
    "worth": worth,
    "speed": speed,
}


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitoring", description=__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE")
    asked = parser.parse_args().measures or list(MEASURES)
    if unknown := set(asked) - set(MEASURES):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(MEASURES)}")
    screen = Console(width=150)
    for name in asked:
        MEASURES[name](screen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
