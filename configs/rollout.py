"""What may stand under `rollout:` in a use case: how a challenger meets real requests, step by step."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from configs.forms import Cron, Duration, Strict

CHALLENGER = "challenger"
LOOKS = "*/5 * * * *"
# Of the rate of a group. Four fifths of a half are 0.1 below it, so a challenger at this margin uses up half of what the
# usual bound leaves. A narrower one needs many more rows: docs/rollouts.md has how many.
TREATED_WORSE = 0.05


class Check(Strict):
    """What a stage looks at, challenger against champion, and how much worse would be no matter (`margin`).

    `errors`: share of its requests that the challenger did not answer, and the champion had to. `latency`: share of its
    requests slower than the champion's 95th percentile; margins are shares. `changed`: share of decisions that differ from
    the champion's (shadows only); at most `margin` of them may. `loss`: the mean loss of rows whose labels have come, in
    units of the loss. `kpi`: the mean of a number that feedback carries, or that a query gives (`sql`, columns prediction_id
    and value), of which `higher` or `lower` is better. A stage `ab` must be long enough for a `required` check to find a
    difference of `detect`, the margin unless said. `by` a categorical feature, `changed` and `loss` are looked at for each
    of its values, and worse for one is worse. `fairness`: the rates of each protected group; it is there wherever the use
    case has `fairness:`, with a margin of `TREATED_WORSE`, and is listed to give it another.
    """

    measure: Literal["errors", "latency", "changed", "loss", "kpi", "fairness"]
    margin: float = Field(ge=0)
    kpi: str | None = Field(None, pattern=r"^[a-z_][a-z0-9_]{0,39}$")
    better: Literal["higher", "lower"] | None = None
    required: bool = False
    detect: float | None = Field(None, gt=0)
    by: str | None = None
    sql: str | None = Field(None, min_length=1)

    @property
    def name(self) -> str:
        """What it is called.

        >>> Check(measure="kpi", kpi="revenue", better="higher", margin=0.1).name
        'kpi revenue'
        >>> Check(measure="loss", by="origin", margin=0.1).name
        'loss by origin'
        """
        name = f"kpi {self.kpi}" if self.kpi else self.measure
        return f"{name} by {self.by}" if self.by else name

    @model_validator(mode="before")
    @classmethod
    def _usual_margin(cls, data: Any) -> Any:
        """Of `fairness` alone: what matters of the others only their use case knows."""
        fair = isinstance(data, dict) and data.get("measure") == "fairness"
        return {"margin": TREATED_WORSE, **data} if fair else data

    @model_validator(mode="after")
    def _whole(self) -> Check:
        if (self.measure == "kpi") != (self.kpi is not None and self.better is not None):
            raise ValueError("'kpi' and 'better' (higher or lower) are those of 'measure: kpi', which needs both")
        if self.sql is not None and self.kpi is None:
            raise ValueError("'sql' is the query of 'measure: kpi'")
        if self.by is not None and self.measure not in ("changed", "loss"):
            raise ValueError(f"'by' is for 'changed' and 'loss'; {self.measure!r} is compared on the whole")
        if self.detect is not None and not self.required:
            raise ValueError("'detect' is what a required check must find; write 'required: true' beside it")
        return self


class Timed(Strict):
    """A stage lasts `for` so long, and is left earlier only for the worse."""

    model_config = ConfigDict(populate_by_name=True)  # as a recorded use case spells it

    lasts: Duration = Field(alias="for")

    @model_validator(mode="after")
    def _some_time(self) -> Timed:
        if self.lasts <= timedelta(0):
            raise ValueError("'for' must be above zero; write for example '6 hours'")
        return self


class Shadow(Timed):
    """A dark launch: the challenger gets a copy of a share of the requests, and its answers go to the log only."""

    strategy: Literal["shadow"]
    share: float = Field(1.0, gt=0, le=1)


class Canary(Timed):
    """The challenger answers a share of the requests; while that is at most a third, a fresh baseline answers as many."""

    strategy: Literal["canary"]
    share: float = Field(gt=0, le=1)


class Ab(Timed):
    """A fixed split; it ends early when every required check is decided.

    With `variants`, so many challengers at most meet a `share` each, and one of them goes on.
    """

    strategy: Literal["ab"]
    share: float = Field(0.5, gt=0, lt=1)
    variants: int = Field(1, ge=1, le=8)

    @property
    def all_of_them(self) -> float:
        """The share of the requests that challengers answer."""
        return self.share * self.variants

    @model_validator(mode="after")
    def _leaves_the_champion_some(self) -> Ab:
        if self.all_of_them > 1 - 1e-9:
            most = f"{self.variants} variants can have less than {1 / self.variants:.3g} each"
            raise ValueError(f"'share': with {self.share:g} for each variant the champion has none to compare with; {most}")
        return self


class Cohort(Timed):
    """Named groups meet the challenger: rows whose `column` (a feature or an identifier) has one of the `values`."""

    strategy: Literal["cohort"]
    column: str
    values: list[str | int | bool] = Field(min_length=1)


class BlueGreen(Strict):
    """All at once; the version before stays warm until the rollout is over."""

    strategy: Literal["blue_green"]
    warm: Duration = timedelta(0)


class Approval(Strict):
    """A person approves or rejects; nothing moves until then, or until `within` is over, which is as if `otherwise`.

    With `four_eyes` it is somebody else than who began the rollout.
    """

    strategy: Literal["approval"]
    within: Duration = timedelta(days=7)
    otherwise: Literal["reject", "approve"] = "reject"
    four_eyes: bool = False


Stage = Annotated[Shadow | Canary | Ab | Cohort | BlueGreen | Approval, Field(discriminator="strategy")]
USUAL = [
    {"measure": "errors", "margin": 0.005, "required": True},
    {"measure": "latency", "margin": 0.1},
    {"measure": "loss", "margin": 0.02},
]


class Rollout(Strict):
    """The stages on the way to all requests, what is looked at, and what is done where that stays undecided.

    `key` is the feature or identifier by which a person meets one model; without it each request is on its own. `looks` is
    when stages are looked at. `false_rollbacks` is the share of challengers as good as the champion that are taken back at
    any look of the whole rollout. A stage whose required checks are undecided at its end, or that had fewer than
    `min_requests`, goes on for `patience` times its length, and then does what `undecided` says; too few requests never
    promote. `late` is how long the champion waits for a challenger before it answers itself.
    """

    stages: list[Stage] = Field(min_length=1)
    key: str | None = None
    without_key: Literal["champion", "each"] = "champion"
    checks: list[Check] = Field(default_factory=lambda: [Check(**each) for each in USUAL])
    looks: Cron = LOOKS
    false_rollbacks: float = Field(0.05, gt=0, lt=0.5)
    min_requests: int = Field(100, ge=1)
    patience: int = Field(3, ge=0)
    undecided: Literal["promote", "roll back", "ask"] = "ask"
    late: Duration = timedelta(seconds=1)

    @model_validator(mode="before")
    @classmethod
    def _usual_strategy(cls, data: Any) -> Any:
        """`- shadow: {for: 1 day}` is how people write it, and what the field's tools do."""
        stages = data.get("stages") if isinstance(data, dict) else None
        if not isinstance(stages, list):
            return data
        return {**data, "stages": [_named(each) for each in stages]}

    @model_validator(mode="after")
    def _rising(self) -> Rollout:
        shares = [
            (place, stage.all_of_them if isinstance(stage, Ab) else stage.share)
            for place, stage in enumerate(self.stages)
            if isinstance(stage, Canary | Ab)
        ]
        for (_, before), (place, share) in pairwise(shares):
            if share < before:
                raise ValueError(
                    f"'stages.{place}': the share falls from {before:g} to {share:g}; a person only ever moves towards the "
                    "challenger"
                )
        later = [place for place, stage in enumerate(self.stages) if place and isinstance(stage, Ab) and stage.variants > 1]
        if later:
            raise ValueError(
                f"'stages.{later[0]}': an 'ab' of several variants must be the first stage; the one that is chosen goes on"
            )
        names = [check.name for check in self.checks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"'checks': {twice[0]!r} stands there twice")
        if not self.checks:
            raise ValueError("'checks' is empty, so nothing could ever take a challenger back")
        return self

    @property
    def variants(self) -> int:
        """How many challengers the first stage can take."""
        return self.stages[0].variants if isinstance(self.stages[0], Ab) else 1

    @property
    def kpis(self) -> dict[str, str]:
        """Each KPI with its query; "" where feedback carries it."""
        return {check.kpi: check.sql or "" for check in self.checks if check.kpi}

    @property
    def slices(self) -> list[str]:
        """The columns that checks go by."""
        return sorted({check.by for check in self.checks if check.by})

    @property
    def columns(self) -> dict[str, str]:
        """The columns that the rollout names, and where."""
        named = {stage.column: f"stages.{place}" for place, stage in enumerate(self.stages) if isinstance(stage, Cohort)}
        return {**named, **({self.key: "key"} if self.key else {})}


def _named(stage: Any) -> Any:
    """A stage with its strategy as a key, from one that has it as its only name.

    >>> _named({"canary": {"share": 0.05, "for": "6 hours"}})
    {'strategy': 'canary', 'share': 0.05, 'for': '6 hours'}
    >>> _named("blue_green")
    {'strategy': 'blue_green'}
    """
    if isinstance(stage, str):
        return {"strategy": stage}
    if isinstance(stage, dict) and "strategy" not in stage and len(stage) == 1:
        ((strategy, rest),) = stage.items()
        return {"strategy": strategy, **(rest if isinstance(rest, dict) else {})}
    return stage
