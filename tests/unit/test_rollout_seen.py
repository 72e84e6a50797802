"""What people see of a rollout: every look of it is kept."""

from datetime import timedelta

from configs.settings import use_case_home
from tasks.rollouts.looks import keep_look, looks_of
from tasks.rollouts.values import Look
from tasks.verdicts.judge import judged
from tests.unit.test_rollout import NOW, state


def look(hour, stage=0):
    """An equal challenger, known better by the hour."""
    half = 0.1 / (hour + 1)
    errors = judged("errors", 0.05, 0.01, (500, 500), (0.0, -half, half))
    loss = judged("loss", 0.02, 0.01, (5, 5), None)
    return Look(at=NOW + timedelta(hours=hour), stage=stage, requests=500 * (hour + 1), verdicts=[errors, loss])


def test_every_look_is_kept_whatever_a_crash_has_torn(home):
    rollout, looks = state(), [look(hour) for hour in range(3)]
    for each in [*looks[:2], looks[1]]:
        keep_look(rollout, each)
    file = use_case_home("loans") / "rollouts" / rollout.id / "looks.jsonl"
    with file.open("ab") as torn:
        torn.write(looks[2].model_dump_json().encode()[:40])
    assert looks_of(rollout) == looks[:2], "a look kept twice is one, a torn one is none"
    keep_look(rollout, looks[2])
    assert looks_of(rollout) == looks
    assert looks_of(state(id="another")) == []
