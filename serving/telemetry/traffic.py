"""What a server counts of the traffic plan that it carries out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PLAN_WORKERS = "slipway_plan_workers"


class TrafficMetrics:
    """Rows by the variant that answered, fallbacks by the arm that should have, shadows, and the plan in force.

    All that is counted of rows has the plan that they came under, so that the stages of a rollout stay apart.
    """

    def __init__(self, registry: CollectorRegistry, buckets: Sequence[float]) -> None:
        self._rows = Counter("slipway_variant_rows", "Rows answered under a plan", ["plan", "variant"], registry=registry)
        self._seconds = Histogram(
            "slipway_variant_seconds", "Time in the server", ["plan", "variant"], buckets=buckets, registry=registry
        )
        told = "Rows that the champion answered in the place of an arm"
        self._fallbacks = Counter("slipway_fallback_rows", told, ["plan", "arm", "reason"], registry=registry)
        self._shadows = Counter(
            "slipway_shadow_rows",
            "Copies: sent, dropped, or why they failed",
            ["plan", "shadow", "outcome"],
            registry=registry,
        )
        self._shadow_seconds = Histogram(
            "slipway_shadow_seconds", "Until a copy is answered", ["plan", "shadow"], buckets=buckets, registry=registry
        )
        self.wrong_plans = Counter("slipway_wrong_plans", "Plans that were not taken", registry=registry)
        self._plan = Gauge(
            PLAN_WORKERS,
            "Workers that carry out the plan",
            ["plan", "digest"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._share = Gauge("slipway_plan_share", "Share of an arm", ["arm"], registry=registry, multiprocess_mode="livemax")
        self._off = Gauge(
            "slipway_arm_off_workers", "Workers for which it is off", ["arm"], registry=registry, multiprocess_mode="livesum"
        )
        self._answered: dict[tuple[str, str], tuple[Callable[[float], None], Callable[[float], None]]] = {}
        self._known: tuple[str, str] | None = None
        self._arms: set[str] = set()
        self._were_off: dict[str, bool] = {}

    def answered(self, plan: str, variant: str, rows: int, seconds: float) -> None:
        """A part of a request, by whoever answered it."""
        try:
            count, time = self._answered[plan, variant]
        except KeyError:  # labels are looked up once, which is slow
            count, time = self._rows.labels(plan, variant).inc, self._seconds.labels(plan, variant).observe
            self._answered[plan, variant] = count, time
        count(rows)
        time(seconds)

    def fallback(self, plan: str, arm: str, reason: str, rows: int) -> None:
        """The arm did not answer these rows."""
        self._fallbacks.labels(plan, arm, reason).inc(rows)

    def shadow(self, plan: str, name: str, outcome: str, rows: int) -> None:
        """Copies that were sent, dropped, or failed."""
        self._shadows.labels(plan, name, outcome).inc(rows)

    def shadow_answered(self, plan: str, name: str, seconds: float) -> None:
        """How long a shadow took for the copies of one exchange."""
        self._shadow_seconds.labels(plan, name).observe(seconds)

    def plan(self, plan: str, digest: str, shares: Mapping[str, float]) -> None:
        """This worker carries out another plan, by the digest of its file; "" for none."""
        if self._known is not None:
            self._plan.labels(*self._known).set(0)
        self._known = (plan, digest) if plan else None
        if self._known is not None:
            self._plan.labels(*self._known).set(1)
        for arm in self._arms - set(shares):
            self._share.labels(arm).set(0)
            self.off(arm, False)
        for arm, share in shares.items():
            self._share.labels(arm).set(share)
        self._arms |= set(shares)

    def off(self, arm: str, off: bool) -> None:
        """Whether the arm is off for this worker."""
        if self._were_off.get(arm, False) != off:
            self._were_off[arm] = off
            self._off.labels(arm).set(int(off))
