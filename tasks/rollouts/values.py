"""Values of rollouts: where one stands, what was looked at, and what people said."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import model_validator

from tasks.deploying.values import Release
from tasks.registry.values import Version
from tasks.store import Value
from tasks.verdicts.values import Verdict

Phase = Literal["initialising", "progressing", "waiting", "promoting", "finalising", "succeeded", "failed"]
Said = Literal["pause", "resume", "abort", "promote", "approve", "reject"]
ENDED = ("succeeded", "failed")


class Word(Value):
    """What a person said, who it was, when, why, and to which stage."""

    said: Said
    by: str
    at: datetime
    reason: str
    stage: int | None = None


class Variant(Value):
    """One of several challengers that are tried at once; `out` says why it is one no more."""

    version: Version
    release: Release | None = None
    out: str = ""

    @property
    def arm(self) -> str:
        """What plans, records and metrics call it."""
        return f"v{self.version.version}"


class Look(Value):
    """What a stage showed at one moment, and what each check says.

    `requests` were assigned to the challenger; of several, to the one that had the fewest.
    """

    at: datetime
    stage: int
    requests: int
    verdicts: list[Verdict] = []
    mismatch: str = ""

    @property
    def worse(self) -> list[Verdict]:
        """The checks that say that the challenger is worse, and take it back."""
        return [each for each in self.verdicts if each.verdict == "worse" and not each.only_told]

    @property
    def only_told(self) -> list[Verdict]:
        """Those that say so, and that people are only told of."""
        return [each for each in self.verdicts if each.only_told]


class State(Value):
    """A rollout. Times are those of the use case; `champion` and `challenger` are as they were registered when it began.

    `revision` counts changes: who decided on an earlier one decides anew. `began_at_epoch` is the fence's: after a rollback
    the rollout moves nothing. `by` began it. `seen` is when the stage was last looked at, or else when its traffic came into
    force; `ran` is how long it has run by then, in seconds, without the time that it was paused. `waits` says for what,
    `outcome` why it has ended. `words` are those of a rollout that an earlier Slipway began; others stand in `words.py`'s
    file. `variants` are all challengers where there were several; `challenger` and `release` are those of one that is still
    tried, and in the end of the one that was chosen.
    """

    id: str
    revision: int = 0
    use_case: str
    champion: Version
    challenger: Version
    reason: str
    by: str = ""
    began: datetime
    began_at_epoch: int
    phase: Phase = "initialising"
    stage: int = 0
    stage_began: datetime | None = None
    seen: datetime | None = None
    ran: float = 0.0
    release: Release | None = None
    baseline: Release | None = None
    waits: str = ""
    outcome: str = ""
    words: list[Word] = []
    look: Look | None = None
    variants: list[Variant] = []

    @model_validator(mode="before")
    @classmethod
    def _earlier_form(cls, data: Any) -> Any:
        """Once it held whether it was paused, which its words say too."""
        return {name: value for name, value in data.items() if name != "paused"} if isinstance(data, dict) else data

    @property
    def left(self) -> list[Variant]:
        """The challengers that are tried at once now; none where there is only the one."""
        return [each for each in self.variants if not each.out]

    @property
    def lost(self) -> list[Variant]:
        """Those that are out: were worse, or another one was chosen."""
        return [each for each in self.variants if each.out and each.version != self.challenger]

    @property
    def challengers(self) -> list[Version]:
        """Every version that wants to serve."""
        return [each.version for each in self.left] or [self.challenger]

    @property
    def traffic(self) -> tuple[int, int]:
        """What a look changes at once: the stage, and how many challengers are tried in it."""
        return self.stage, len(self.left)

    @property
    def who(self) -> str:
        """The challengers, as people read it."""
        names = [each.version for each in self.challengers]
        return f"version {names[0]}" if len(names) == 1 else f"versions {', '.join(names)}"

    @property
    def ended(self) -> bool:
        """Whether nothing of it moves any more."""
        return self.phase in ENDED
