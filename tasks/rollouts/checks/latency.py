"""Latency: the share of the challenger's requests that take longer than 95 of 100 of the reference's.

A share is compared rather than the percentiles themselves: a few requests say little about a tail's length, and much about
how many are in it.
"""

from __future__ import annotations

import numpy as np

from configs.rollout import Check
from tasks.rollouts.evidence import Evidence
from tasks.verdicts.judge import judged
from tasks.verdicts.values import Verdict

QUANTILE = 0.95


def latency(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """The difference of the shares, where a baseline answers too.

    A shadow waits for nobody, so its times are no client's. The champion's own server answers without asking another one,
    which no challenger can; an equal one would be called worse for the way between the two.
    """
    if not evidence.as_far:
        return None
    known = evidence.reference["latency_us"].to_numpy(dtype=float)
    slow = float(np.quantile(known, QUANTILE)) if len(known) else np.inf
    groups = evidence.groups(lambda rows: (rows["latency_us"] > slow).to_numpy(dtype=float))
    unit = f" of requests over {slow / 1000:.3g} ms" if len(known) else ""
    return judged(check.name, check.margin, level, evidence.points(groups), evidence.difference(groups, level), unit)
