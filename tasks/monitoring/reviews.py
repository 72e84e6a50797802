"""Reviews: whether people overrule the model more than they did, and whether answers that wait are decided in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect import task

from configs.schema import UseCase
from tasks.log.values import Window
from tasks.monitoring.drift.null import OTHER_SHARE
from tasks.monitoring.findings import findings
from tasks.monitoring.values import Reviewed
from tasks.review.finals import finals_of, kpis
from tasks.review.settle import settle
from tasks.review.values import Share

HOUR = timedelta(hours=1)


@task
def measure_reviews(use_case: UseCase, window: Window, now: datetime | None = None) -> Reviewed | None:
    """What people decided since the look before, against all that they decided until then; None where nobody reviews.

    An answer is decided on days after it was given, so decisions are those made between two looks, whatever window their
    answers are in. A look with labels has nothing to say of it.

    Raises:
        InputError: a rule of `review.when` is no condition.
        CheckFailed: the log or the journal cannot be read.
    """
    if use_case.review is None or window.look == "labels":
        return None
    moment = now or datetime.now(UTC)
    waiting, finals = settle(use_case, moment), finals_of(use_case.name)
    since, until = _between(window)
    new, before = finals[(finals["number"] > since) & (finals["number"] <= until)], finals[finals["number"] <= since]
    found, known = kpis(new), kpis(before)
    chance = by_chance(found.overridden, known.overridden)
    return Reviewed(
        waiting=len(waiting),
        oldest=max(((moment - item.asked) / HOUR for item in waiting), default=None),
        found=found,
        before=known,
        chance=chance,
        more=chance is not None and chance <= use_case.monitoring.false_alarm_rate * OTHER_SHARE,
        late=int((new["how"] == "late").sum()),
        until=int(min(finals["number"].max(), until)) if len(finals) else 0,
    )


def by_chance(found: Share | None, before: Share | None) -> float | None:
    """How often so many or more of the overridden answers are among the new ones where nothing changed; None without both.

    Fisher's exact test, of one side ("The logic of inductive inference", 1935): it holds with the few decisions that people
    make between two looks.

    >>> share = lambda count, rows: Share(value=count / rows, lower=0, upper=1, count=rows)
    >>> round(by_chance(share(3, 4), share(1, 4)), 4)
    0.2429
    """
    from scipy.stats import hypergeom

    if found is None or before is None:
        return None
    new, old = (round(each.value * each.count) for each in (found, before))
    return float(hypergeom.sf(new - 1, found.count + before.count, new + old, found.count))


def _between(window: Window) -> tuple[float, float]:
    """From which line of the journal on, and up to which: of a look that is done again what it was.

    Where earlier looks counted no decisions, none is new: what was decided until now is what later ones are held against.
    """
    since, until, known = 0, float("inf"), findings(window.use_case)
    if known and not any(finding.reviewed for finding in known):  # of an earlier version, or before there were reviews
        return float("inf"), float("inf")
    for finding in known:
        if finding.reviewed is None:
            continue
        if finding.window == window.name:
            until = finding.reviewed.until
            break
        since = finding.reviewed.until
    return since, until
