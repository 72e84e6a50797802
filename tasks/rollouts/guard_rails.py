"""Guard rails: a challenger that is plainly broken goes back within seconds, without waiting for a look.

A challenger of whose rows most fail is broken, which needs no statistics of equal models. What is subtler is for the checks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import httpx
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from tasks.deploying.keys import internal_headers
from tasks.deploying.reconcile import releases
from tasks.deploying.values import Release
from tasks.quarantine import put_in
from tasks.rollouts.carry_out import BASELINE, arms_of
from tasks.rollouts.take_back import take_back
from tasks.rollouts.values import State
from tasks.rollouts.variants import drop
from tasks.routing import gateway
from tasks.routing.splitting import split, split_of

GUARD = "the guard rails"
WINDOW = 10.0  # seconds that are looked back at for rows
ROWS = 20  # failed ones that are a burst, where they are most
WRONG = 5  # answers that no such model can give
CRASH_WINDOW = 60.0
CRASHES = 3
GRACE = 30.0  # seconds in which a server that has ended may come back, and errors are those of its absence
METRICS_SECONDS = 2.0
BUSY = ("contract", "busy")  # a row that it refuses, or too much work at once, is no error of a model's


class Counts(NamedTuple):
    """What was counted up to a moment (seconds of a clock): rows that were an arm's, failed ones, servers begun anew."""

    at: float
    asked: float
    failed: float
    wrong: float
    baseline_asked: float
    baseline_failed: float
    restarts: int


def broken(seen: Sequence[Counts]) -> str:
    """Why the challenger is plainly broken, or "". `seen` has the oldest first, all of one life of the counters.

    Where the baseline fails as well, it is not the challenger that is to blame.

    >>> before = Counts(0, 0, 0, 0, 0, 0, 0)
    >>> broken([before, Counts(3, 40, 30, 0, 40, 0, 0)])
    'an error burst: 30 of its 40 rows of the last 3 s failed, and the champion had to answer them'
    >>> broken([before, Counts(3, 40, 30, 0, 40, 25, 0)])
    ''
    >>> broken([before, Counts(3, 40, 30, 0, 40, 0, 1)])
    ''
    >>> broken([before, Counts(3, 0, 0, 0, 0, 0, 3)])
    'a crash loop: its servers ended 3 times within 3 s'
    """
    if not seen:
        return ""
    now = seen[-1]
    first = next(each for each in seen if now.at - each.at <= CRASH_WINDOW)
    if (crashes := now.restarts - first.restarts) >= CRASHES:
        return f"a crash loop: its servers ended {crashes} times within {now.at - first.at:.0f} s"
    first = next(each for each in seen if now.at - each.at <= WINDOW)
    asked, failed, wrong = now.asked - first.asked, now.failed - first.failed, now.wrong - first.wrong
    if wrong >= WRONG:
        return f"wrong answers: {wrong:.0f} within {now.at - first.at:.0f} s are none that such a model can give"
    if now.restarts != next(each for each in seen if now.at - each.at <= GRACE).restarts:
        return ""
    beside, beside_failed = now.baseline_asked - first.baseline_asked, now.baseline_failed - first.baseline_failed
    if failed >= ROWS and failed > asked / 2 and beside_failed <= beside / 4:
        what = f"{failed:.0f} of its {asked:.0f} rows of the last {now.at - first.at:.0f} s"
        return f"an error burst: {what} failed, and the champion had to answer them"
    return ""


class Watched:
    """A rollout's counts of the last minute, by arm."""

    def __init__(self) -> None:
        self._id, self._seen = "", dict[str, deque[Counts]]()

    def look(self, state: State, now: float) -> str:
        """Count, and take the challengers back that are broken; returns why, or "". `now` is in seconds of a clock.

        Raises:
            Moved: somebody has changed the rollout at this moment; the next look sees it anew.
        """
        if state.id != self._id:
            self._id, self._seen = state.id, {}
        for arm, found in count(state, now).items():
            self._keep(arm, found)
        why = {arm: f"{GUARD}: {said}" for arm in arms_of(state) if (said := broken(self._seen.get(arm, ())))}
        if not why:
            return ""
        if len(why) < len(state.left):
            _drop(state, why)
        else:
            for challenger, said in zip(state.challengers, why.values(), strict=True):
                put_in(state.use_case, challenger.version, said.removeprefix(f"{GUARD}: "), GUARD)
            take_back(state, "; ".join(dict.fromkeys(why.values())))
        return "; ".join(dict.fromkeys(why.values()))

    def _keep(self, arm: str, found: Counts) -> None:
        seen = self._seen.setdefault(arm, deque())
        if seen and found.asked < seen[-1].asked:  # new counters
            seen.clear()
        seen.append(found)
        while found.at - seen[0].at > CRASH_WINDOW:
            seen.popleft()


def _drop(state: State, why: dict[str, str]) -> None:
    """Some of several are broken: they get nothing any more at once, and the others go on; a look clears their servers."""
    drop(state, why, GUARD)
    if plan := split_of(state.use_case):
        arms = [replace(arm, addresses=()) if arm.name in why else arm for arm in plan.arms]
        split(state.use_case, replace(plan, arms=tuple(arms)))


def count(state: State, now: float) -> dict[str, Counts]:
    """What the servers of what serves have counted of each challenger's arm by now; nothing where none of them answers."""
    rows: dict[str, float] = {}
    failed: dict[str, float] = {}
    wrong: dict[str, float] = {}
    answered = False
    for address in gateway.routed(state.use_case):
        for name, labels, value in _samples(state.use_case, address):
            answered = True
            if name == "slipway_variant_rows_total":
                rows[labels["variant"]] = rows.get(labels["variant"], 0.0) + value
            elif name == "slipway_fallback_rows_total" and labels["reason"] not in BUSY:
                failed[labels["arm"]] = failed.get(labels["arm"], 0.0) + value
                wrong[labels["arm"]] = wrong.get(labels["arm"], 0.0) + (value if labels["reason"] == "wrong" else 0.0)
    if not answered:
        return {}
    arms = arms_of(state)
    asked = {arm: rows.get(arm, 0.0) + failed.get(arm, 0.0) for arm in (*arms, BASELINE)}
    beside = (asked[BASELINE], failed.get(BASELINE, 0.0))
    servers = [each.release for each in state.left] or [state.release]
    return {
        arm: Counts(now, asked[arm], failed.get(arm, 0.0), wrong.get(arm, 0.0), *beside, _restarts(state.use_case, release))
        for arm, release in zip(arms, servers, strict=True)
    }


def _samples(use_case: str, address: str) -> list[tuple[str, dict[str, str], float]]:
    try:
        answer = _client().get(f"{address}/metrics", headers=internal_headers(use_case, GUARD))
    except httpx.TransportError:  # it is being started again; the next look asks it
        return []
    families = text_string_to_metric_families(answer.raise_for_status().text)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


@cache
def _client() -> httpx.Client:
    """One for all looks: each new one reads the list of certificate authorities, which takes 45 ms a second here."""
    return httpx.Client(timeout=METRICS_SECONDS, limits=httpx.Limits(max_keepalive_connections=0))


def _restarts(use_case: str, release: Release | None) -> int:
    assert release is not None, "it is there from the first stage on"
    there = [each for each in releases(use_case) if each.name == release.name]
    return sum(replica.restarts for each in there for replica in each.replicas)
