"""Who somebody is, what they may do, what they said to a rollout, and what is in quarantine."""

import os
import pwd

import pytest
from typer.testing import CliRunner

from configs.errors import InputError
from configs.load import load_use_case
from console.cli import app
from tasks.deploying.keys import create_key, list_keys, revoke_key
from tasks.history import read_history
from tasks.people import ROLES, NotAllowed, Person, drop_person, may, people, put_person, who
from tasks.quarantine import let_out, put_in, quarantined, refuse_quarantined
from tasks.rollouts.say import say
from tasks.rollouts.state import begin, change, folder_of, last_rollout
from tasks.rollouts.words import keep_word, last_word, the_pause, words_of
from tests.unit.test_rollout import declared, said, state

ME = pwd.getpwuid(os.geteuid()).pw_name


def test_without_a_table_everybody_is_their_account_and_may_do_everything(home, monkeypatch):
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert who() == Person(name=ME, roles=ROLES)


def test_with_one_only_those_in_it_and_only_what_their_roles_say(home):
    put_person(Person(name="ann", account=ME, roles=("approver",)))
    assert may("approver", "approve").name == "ann"
    with pytest.raises(NotAllowed, match="ann may not roll back: that needs the role 'operator', and ann has approver"):
        may("operator", "roll back")
    put_person(Person(name="ann", account="another", roles=("approver",)))
    with pytest.raises(InputError, match=rf"the account '{ME}' is nobody's in .*people.json"):
        may("approver", "approve")
    (home / "people.json").write_text("{")
    with pytest.raises(InputError, match="is no table of people"):
        may("approver", "approve")


@pytest.mark.parametrize(
    "words",
    [
        "run loans --once",
        "release loans",
        "retrain loans",
        "deploy loans",
        "retire loans --yes",
        "keys create loans shop",
        "keys revoke loans shop",
        "log erase loans --where caller=shop --yes",
    ],
)
def test_what_changes_something_is_an_operators_to_say(home, words):
    put_person(Person(name="ann", account=ME, roles=("viewer", "auditor")))
    before = sorted(home.rglob("*"))
    with pytest.raises(NotAllowed, match="needs the role 'operator', and ann has viewer, auditor"):
        CliRunner().invoke(app, words.split(), catch_exceptions=False)
    assert sorted(home.rglob("*")) == before


def test_a_key_says_who_somebody_is_until_it_is_revoked(home, monkeypatch):
    text = create_key("loans", "desk", ("predict",))
    put_person(Person(name="bob", keys=(list_keys("loans")[0].id,), roles=("operator",)))
    monkeypatch.setenv("SLIPWAY_KEY", text)
    assert who().name == "bob"
    monkeypatch.setenv("SLIPWAY_KEY", text[:-1])
    with pytest.raises(InputError, match="is no key in use of"):
        who()
    monkeypatch.setenv("SLIPWAY_KEY", text)
    revoke_key("loans", "desk")
    with pytest.raises(InputError, match="is no key in use of"):
        who()


def test_an_account_is_one_person_and_the_last_one_stays(home):
    put_person(Person(name="ann", account="a", roles=("operator",)))
    with pytest.raises(InputError, match="'a' is ann's already"):
        put_person(Person(name="bob", account="a", roles=("operator",)))
    with pytest.raises(InputError, match="ann is the last one"):
        drop_person("ann")
    put_person(Person(name="bob", account="b", roles=("viewer",)))
    drop_person("ann")
    assert [each.name for each in people()] == ["bob"]


def test_a_word_during_a_look_is_neither_lost_nor_in_its_way(home):
    seen = begin(state())
    keep_word(seen, said("pause"))
    change(seen, ran=1.0)  # the look that had begun before
    assert the_pause(words_of(last_rollout("loans"))) == said("pause")
    with (folder_of(seen) / "words.jsonl").open("ab") as file:
        file.write(b'{"said": "resume", "by": "a')  # a crash cut it off, so nobody was told that it counts
    assert the_pause(words_of(seen))
    keep_word(seen, said("resume", 1))
    assert the_pause(words_of(seen)) is None
    assert last_word(words_of(seen), 0, "resume") is None, "it was said to another stage"


def test_four_eyes_and_what_fits_where_a_rollout_stands(home):
    stages = [{"approval": {"four_eyes": True}}, {"canary": {"share": 1.0, "for": "1 hour"}}]
    case = load_use_case("loans").model_copy(update={"rollout": declared(*stages)})
    begin(state(by=ME))
    with pytest.raises(NotAllowed, match=f"{ME} began this rollout, and 'four_eyes' wants somebody else"):
        say(case, "approve", "fine")
    with pytest.raises(InputError, match="it waits for an approval"):
        say(case, "promote", "never mind the approval")
    put_person(Person(name="bob", account=ME, roles=("approver",)))
    say(case, "approve", "fine")
    with pytest.raises(NotAllowed, match="that needs the role 'operator'"):
        say(case, "pause", "a holiday")
    assert [(word.said, word.by, word.stage) for word in words_of(last_rollout("loans"))] == [("approve", "bob", 0)]
    assert read_history("loans", "rollout")[-1]["by"] == "bob"


def test_a_paused_rollout_that_an_earlier_slipway_wrote_is_still_paused(home):
    begin(state())
    path = home / "use_cases" / "loans" / "rollout.json"
    old = '{"said": "pause", "by": "ann", "at": "2026-03-01T00:00:00Z", "reason": "a holiday"}'
    path.write_text(path.read_text().replace('"words": []', f'"paused": true, "words": [{old}]'))
    assert the_pause(words_of(last_rollout("loans"))).reason == "a holiday"


def test_only_a_person_lifts_a_quarantine(home):
    case = load_use_case("loans")
    assert not quarantined(case.name, "2")
    put_in(case.name, "2", "errors: worse", "rollout r")
    put_in(case.name, "2", "again", "rollout s")
    with pytest.raises(InputError, match=r"version 2 of 'loans' is in quarantine \(since .*, by rollout r: errors: worse\)"):
        refuse_quarantined(case.name, "2")
    let_out(case.name, "2", "the data was wrong, not the model", "ann")
    refuse_quarantined(case.name, "2")
    with pytest.raises(InputError, match="in no quarantine"):
        let_out(case.name, "2", "again", "ann")
