"""Whole rollouts of a challenger as good as the champion: how many does any look of any stage take back?

Every look is the product's own: the checks on the records of the stage, the test of the shares, and `decide`, which moves
the rollout from stage to stage. Only the records are made: requests, late labels, errors, times and revenue of two models
that blur one score alike, so that they differ in single answers and in nothing else.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.rollouts.streams import sigmoid
from configs.fairness import Criteria, Fairness, Tolerance
from configs.rollout import CHALLENGER, Rollout
from configs.schema import Features, Log, Target, UseCase
from serving.contract.contract import Column, Contract
from tasks.problems.problem import problem_of
from tasks.rollouts.carry_out import BASELINE
from tasks.rollouts.checks.choose import checked
from tasks.rollouts.decide import decide
from tasks.rollouts.declared import level_of
from tasks.rollouts.evidence import CHAMPION, Evidence
from tasks.rollouts.protected import with_groups
from tasks.rollouts.strategies.choose import STRATEGIES
from tasks.rollouts.values import Look, State
from tasks.verdicts.ratio import mismatch

TRAFFIC, LOOKS = 4000, 25  # requests to all variants, and looks, of a stage
NOW, STAGE = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=25)
CONTRACT = Contract("simulated", (Column("score", "numeric"),), "y", (0, 1))
PROBLEM = problem_of(Target(column="y", positive=1))
BLUR, CHANGED = 0.3, 0.0686  # of the score, and the share of decisions that two such models make otherwise
STAGES = [{"shadow": {"for": "25 hours"}}, *({"canary": {"share": share, "for": "25 hours"}} for share in (0.05, 0.25))]
HALF = {"canary": {"share": 0.5, "for": "25 hours"}}
AB = {"ab": {"for": "25 hours"}}


class Case(NamedTuple):
    """What is declared, how many persons come (0: each request is on its own), what must be alike between groups, and how
    often each stage is looked at.
    """

    declared: Rollout
    persons: int = 0
    fair: Fairness | None = None
    looks: int = LOOKS

    @property
    def use_case(self) -> UseCase | None:
        """As far as the checks read it."""
        if self.fair is None:
            return None
        features = Features(numeric=["score"], identifiers=self.fair.protected)
        return UseCase.model_construct(
            features=features, target=Target(column="y", positive=1), fairness=self.fair, log=Log()
        )


def checks(
    errors: float, latency: float, loss: float, changed: float, revenue: float, required: bool
) -> list[dict[str, Any]]:
    margins = {"errors": errors, "latency": latency, "loss": loss, "changed": changed}
    kpi = {"measure": "kpi", "kpi": "revenue", "better": "higher", "margin": revenue}
    each = [{"measure": measure, "margin": margin} for measure, margin in margins.items()]
    return [{**each[0], "required": required}, *each[1:], kpi]


EXACT = checks(0, 0, 0, CHANGED, 0, required=False)  # the challenger lies right on every margin: none forgives anything
FAIR = {"measure": "fairness", "margin": 0}
ODDS = Fairness(
    protected=["race", "sex"],
    criteria=Criteria(selection_rate=Tolerance(ratio=0.8), equalised_odds=Tolerance(difference=0.1)),
)
USUAL = checks(0.005, 0.1, 0.02, 0.1, 1.0, required=True)
CASES = {
    "margins of 0": Case(Rollout(stages=[*STAGES, HALF], checks=EXACT)),
    "margins of 0, persons who come again": Case(Rollout(stages=[*STAGES, HALF], checks=EXACT), persons=1000),
    "usual margins, ends with an A/B test": Case(
        Rollout(stages=[*STAGES, AB], checks=USUAL, patience=0, undecided="promote")
    ),
    "fairness alone, margin of 0, two protected columns": Case(
        Rollout(stages=[*STAGES, HALF], checks=[FAIR]), fair=ODDS, looks=6
    ),
}


def whole(screen: Console, runs: int) -> None:
    """Print how the rollouts end, by case, and which check took them back."""
    title = f"{runs:,} rollouts of an equal challenger, 4 stages, {4 * LOOKS} looks (of fairness 24), stated 5 %"
    table = Table(title=title, title_justify="left")
    for column in ("declared", "taken back", "by which check", "promoted", "held for their shares"):
        table.add_column(column)
    with Progress(console=Console(stderr=True), transient=True) as bar, ProcessPoolExecutor() as pool:
        for name, case in CASES.items():
            done = pool.map(partial(rolled_out, case), range(runs), chunksize=10)
            ends = list(bar.track(done, total=runs, description=name))
            back = [check for end, check in ends if end == "back"]
            by = ", ".join(f"{check} {back.count(check)}" for check in sorted(set(back)))
            shares = [sum(end == which for end, _ in ends) / runs for which in ("back", "next", "wait")]
            table.add_row(name, f"{shares[0]:.2%}", by, f"{shares[1]:.1%}", f"{shares[2]:.1%}")
    screen.print(table)


def rolled_out(case: Case, seed: int) -> tuple[str, str]:
    """How it ends (`next` behind the last stage, `back`, or `wait` where its shares look wrong), and by which check."""
    dice = np.random.default_rng(seed)
    for place in range(len(case.declared.stages)):
        stage = Simulated(case, place, dice)
        for number in range(1, case.looks + 1):
            look = stage.look(number)
            state = State.model_construct(stage=place, ran=(number * STAGE / case.looks).total_seconds())
            step = decide(case.declared, state, [], look)
            if step.move == "back":
                return "back", look.worse[0].check
            if step.move != "stay":
                break
        if step.move == "wait":
            return "wait", ""
    return "next", ""


class Simulated:
    """The traffic of a stage, and what its looks see of it."""

    def __init__(self, case: Case, place: int, dice: np.random.Generator) -> None:
        self.case, self.place = case, place
        stage = case.declared.stages[place]
        strategy = STRATEGIES[stage.strategy]
        self.paired = strategy.paired
        share, beside = strategy.shares(stage)
        shares = {CHALLENGER: share, BASELINE: beside, CHAMPION: 1 - share - beside}
        self.shares = {name: each for name, each in shares.items() if each > 0} if share else {}
        keys = dice.integers(case.persons, size=TRAFFIC) if case.persons else np.arange(TRAFFIC)
        rows = requests(dice, keys)
        if self.paired:
            self.challenger, self.reference = both(rows, rows)
            return
        drawn = dice.choice(list(self.shares), p=list(self.shares.values()), size=case.persons or TRAFFIC)
        self.assigned, self.keys = drawn[keys], keys
        theirs, there = self.assigned == CHALLENGER, self.assigned == (BASELINE if beside else CHAMPION)
        self.challenger, self.reference = both(rows[theirs], rows[there])

    def look(self, number: int) -> Look:
        """What the log holds by then, as the checks see it."""
        by_now = number * TRAFFIC // self.case.looks
        sides = [seen(rows, by_now) for rows in (self.challenger, self.reference)]
        counts = {name: len(np.unique(self.keys[:by_now][self.assigned[:by_now] == name])) for name in self.shares}
        case = self.case.use_case
        if case is not None:
            sides = [with_groups(case, CONTRACT, rows) for rows in sides]
        keyed = self.case.persons > 0
        evidence = Evidence(self.paired, *sides, PROBLEM, CONTRACT, counts, self.shares, keyed, use_case=case)
        level = level_of(self.case.declared)
        found = [checked(evidence, check, level) for check in self.case.declared.checks]
        verdicts = [each for each in found if each is not None]
        wrong = mismatch(counts, self.shares)
        return Look(at=NOW, stage=self.place, requests=len(sides[0]), verdicts=verdicts, mismatch=wrong)


def requests(dice: np.random.Generator, keys: np.ndarray) -> pd.DataFrame:
    """One row a request, with what both models would answer.

    Persons differ in how often they meet errors, and in what they buy.
    """
    n, persons = len(keys), int(keys.max()) + 1
    (groups,) = dice.spawn(1)  # which leaves the other dice as they are
    score = dice.normal(-1.2, 1.2, persons)[keys] * 0.5 + dice.normal(-0.6, 1.0, n)
    return pd.DataFrame(
        {
            "at": np.arange(n),
            "time": np.arange(n),
            "feature.race": groups.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "feature.sex": groups.choice(["f", "m"], n),
            "key": keys,
            "fallback": np.where(dice.random(n) < dice.beta(0.5, 49.5, persons)[keys], "late", ""),
            "latency_us": dice.lognormal(8, 0.7, n),
            "output": answers(dice, score),
            "other": answers(dice, score),
            "target": (dice.random(n) < sigmoid(score)).astype(float),
            "told": np.arange(n) + dice.exponential(TRAFFIC / 10, n),
            "kpi.revenue": (dice.random(n) < 0.1) * dice.lognormal(3, 1.0, persons)[keys],
        }
    )


def answers(dice: np.random.Generator, score: np.ndarray) -> list[np.ndarray]:
    """The probabilities of both classes, from the score that a model sees only blurred."""
    positive = sigmoid(score + dice.normal(0, BLUR, len(score)))
    return list(np.stack([1 - positive, positive], axis=1))


def both(theirs: pd.DataFrame, ours: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the challenger answered of its requests, and the reference of its own."""
    return theirs.drop(columns="output").rename(columns={"other": "output"}), ours.drop(columns="other")


def seen(rows: pd.DataFrame, by_now: int) -> pd.DataFrame:
    """The requests that have come, with the labels that have."""
    came = rows.iloc[: np.searchsorted(rows["at"].to_numpy(), by_now)]
    return came.assign(target=np.where(came["told"].to_numpy() < by_now, came["target"].to_numpy(), np.nan))
