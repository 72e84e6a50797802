"""A rollout whose end was written, and whose traffic plan still stands because whoever ended it was killed in between."""

import msgspec

from console import guard
from serving.traffic.plan import Halt, Plan
from tasks.history import read_history
from tasks.rollouts.state import begin, last_rollout
from tasks.rollouts.take_back import end_its_plan, left_its_plan
from tasks.routing.splitting import plan_path, split_of
from tests.unit.test_rollback import release, switched
from tests.unit.test_rollout import state


def stands(salt, **more):
    """The release on a port where nothing listens carries out a plan, as its file says."""
    switched("1", 9)
    plan_path(release("1", 9)).write_bytes(msgspec.json.encode(Plan("p", salt, **more)))


def test_its_challenger_gets_nothing_any_more(home):
    ended = begin(state(phase="failed", outcome="worse"))
    stands(ended.id)
    assert left_its_plan("loans")
    guard._tidy("loans")
    assert split_of("loans") is None
    assert not left_its_plan("loans")
    assert (last_rollout("loans"), read_history("loans", "rollout")) == (ended, []), "it has ended already"


def test_what_is_under_way_keeps_its_plan(home):
    stands(begin(state()).id)
    end_its_plan("loans")
    assert split_of("loans") is not None


def test_a_halt_is_no_rollouts_plan(home):
    begin(state(phase="failed", outcome="worse"))
    stands("halt", halt=Halt("denies everybody"))
    end_its_plan("loans")
    assert split_of("loans").halt == Halt("denies everybody")
