"""A halt stands in the home, whatever serves: nothing but its lifting ends it, and nothing is halted by halves."""

import pytest

from configs.errors import InputError
from configs.load import load_use_case
from console.commands import retire
from serving.contract.contract import Contract
from serving.traffic.plan import Halt, Plan
from tasks.deploying import switchover
from tasks.fence import epoch
from tasks.history import read_history
from tasks.people import NotAllowed, Person, put_person
from tasks.rollouts import halt as halting
from tasks.rollouts.halt import halt, lift
from tasks.routing import splitting
from tasks.routing.halted import halted, refuse_halted
from tasks.routing.splitting import plan_path, split, split_of, unsplit
from tests.unit.test_people import ME
from tests.unit.test_rollback import release, switched, version


@pytest.fixture
def serves(home, monkeypatch):
    """Version 1 serves, and its servers confirm every plan."""
    switched("1", 9001)
    confirmed = []
    monkeypatch.setattr(splitting, "_wait", lambda release, digest, addresses: confirmed.append((release.name, digest)))
    return confirmed


def halted_loans(reason="denies everybody"):
    return halt(load_use_case("loans"), reason, print)


def test_it_fences_is_confirmed_and_is_audited(serves):
    began = epoch("loans")
    stands = halted_loans()
    assert (stands, halted("loans")) == (halted("loans"), stands)
    assert split_of("loans").halt == Halt("denies everybody")
    assert serves
    assert epoch("loans") == began + 1
    with pytest.raises(
        InputError, match=r"'loans' is halted \(since .*, by .*: denies everybody\); 'slipway halt loans --lift"
    ):
        refuse_halted("loans")
    lift(load_use_case("loans"), "mended")
    assert (halted("loans"), split_of("loans")) == (None, None)
    with pytest.raises(InputError, match="'loans' is not halted"):
        lift(load_use_case("loans"), "again")
    assert [(each["move"], each["reason"]) for each in read_history("loans", "halt")] == [
        ("halt", "denies everybody"),
        ("lift", "mended"),
    ]


def test_neither_a_rollouts_end_nor_a_plan_nor_a_switch_undoes_it(serves, monkeypatch):
    stands = halted_loans()
    unsplit("loans")
    with pytest.raises(InputError, match="is halted"):
        split("loans", Plan("p", "s"))
    assert split_of("loans") == stands.plan()
    at_the_switch, new = [], release("2", 9002)
    monkeypatch.setattr(
        switchover.gateway, "route", lambda *_: at_the_switch.append((plan_path(new).exists(), serves[-1][0]))
    )
    switchover.send(version("2"), new, "a test")
    assert at_the_switch == [(True, new.name)], "confirmed before its first request"
    assert plan_path(new).exists()


def test_what_is_not_confirmed_is_not_halted(serves, monkeypatch):
    def refuse(*_):
        raise splitting.NotSplit("a server does not answer")

    monkeypatch.setattr(splitting, "_wait", refuse)
    with pytest.raises(splitting.NotSplit):
        halted_loans()
    assert (halted("loans"), split_of("loans"), read_history("loans", "halt")) == (None, None, [])


def test_said_again_and_not_confirmed_the_first_one_stands(serves, monkeypatch):
    stands = halted_loans()

    def refuse(*_):
        raise splitting.NotSplit("a server does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(splitting, "_wait", refuse)
        with pytest.raises(splitting.NotSplit):
            halted_loans("another reason")
    assert (halted("loans"), split_of("loans")) == (stands, stands.plan())
    lift(load_use_case("loans"), "mended")
    assert (halted("loans"), split_of("loans")) == (None, None)


def test_bad_input_changes_nothing(home, serves, monkeypatch):
    class Read:
        contract = Contract("loans", (), "approve", ("no", "yes"))

    monkeypatch.setattr(halting, "read_bundle", lambda _: Read)
    case = load_use_case("loans")
    wrong = case.model_copy(update={"deploy": case.deploy.model_copy(update={"answer_when_halted": "perhaps"})})
    with pytest.raises(InputError, match=r"'loans': deploy\.answer_when_halted: 'perhaps' is not one of 'no', 'yes'"):
        halt(wrong, "a test", print)
    put_person(Person(name="ann", account=ME, roles=("auditor",)))
    with pytest.raises(NotAllowed, match="ann may not halt a use case"):
        halted_loans()
    assert (halted("loans"), split_of("loans")) == (None, None)


def test_nothing_that_serves_cannot_be_halted(home):
    with pytest.raises(InputError, match="nothing of 'loans' serves, so there is nothing to halt"):
        halted_loans()


def test_retired_it_begins_anew(serves, monkeypatch):
    halted_loans()
    for name in ("uncrown", "unregister"):
        monkeypatch.setattr(retire, name, lambda *_: None)
    monkeypatch.setattr(retire.gateway, "route", lambda *_: None)
    monkeypatch.setattr(retire, "releases", lambda _: [])
    retire.retire("loans", "a test", print)
    assert halted("loans") is None
    assert not plan_path(release("1", 9001)).exists(), "a release of the same name would carry it out"
