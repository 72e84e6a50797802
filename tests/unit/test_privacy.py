"""What a table holds of persons is found by value and name, told masked; who could be known again is counted right."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from configs.errors import InputError
from configs.load import parse_use_case
from configs.privacy import Privacy
from configs.settings import store
from console.cli import app
from tasks.onboarding.check import check
from tasks.papers.record import record_of
from tasks.privacy.advice import right, stands
from tasks.privacy.anonymity import of_log, of_table, quasi_identifiers
from tasks.privacy.checks import bsn, card, dni, iban, luhn, nhs, nir, pesel, steuer_id
from tasks.privacy.recognisers import RECOGNISERS
from tasks.privacy.scan import scan
from tests.conftest import RICH, SMALL, small_frame, small_use_case
from tests.unit.test_explained import stored
from tests.unit.test_log_maintenance import log, prediction

__all__ = ["log"]  # a fixture
DIGITS = st.text("0123456789", min_size=40, max_size=40)
# Of each number: its check, what its body is made of, and what its check digits may be.
NUMBERS = {
    "luhn": (luhn, lambda digits: digits[:15], [str(n) for n in range(10)]),
    "card": (card, lambda digits: f"4{digits[:14]}", [str(n) for n in range(10)]),
    "steuer_id": (steuer_id, lambda digits: digits[:10], [str(n) for n in range(10)]),
    "pesel": (pesel, lambda digits: f"{digits[:2]}05{digits[2:8]}", [str(n) for n in range(10)]),
    "nhs": (nhs, lambda digits: digits[:9], [str(n) for n in range(10)]),
    "bsn": (bsn, lambda digits: digits[:8], [str(n) for n in range(10)]),
    "nir": (nir, lambda digits: f"1{digits[:12]}", [f"{n:02d}" for n in range(1, 98)]),
    "dni": (dni, lambda digits: digits[:8], list("TRWAGMYFPDXBNJZSQVHLCKE")),
}


@pytest.mark.parametrize("name", NUMBERS)
@given(digits=DIGITS, at=st.integers(0, 14), by=st.integers(1, 9))
def test_a_check_digit_holds_for_one_and_sees_any_single_wrong_digit(name, digits, at, by):
    holds, body_of, ends = NUMBERS[name]
    body = body_of(digits)
    valid = [body + end for end in ends if holds(body + end)]
    assert len(valid) <= 1
    for number in valid:
        place = at % len(body)
        wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
        assert not holds(wrong)


@given(DIGITS, st.integers(0, 17), st.integers(1, 9))
def test_an_iban_sees_any_single_wrong_digit(digits, at, by):
    body = digits[:18]
    key = 98 - int(f"{body}131400") % 97  # ISO 13616: D is 13, E is 14
    assert iban(f"DE{key:02d}{body}")
    wrong = body[:at] + str((int(body[at]) + by) % 10) + body[at + 1 :]
    assert not iban(f"DE{key:02d}{wrong}")


@given(st.text(max_size=60))
def test_no_text_breaks_a_recogniser(text):
    for recogniser in RECOGNISERS:
        assert all(each in text for each in recogniser.found(text))


PEOPLE = {
    "contact": ["ann.lee@example.org", "bob@example.co.uk", "carl@sub.example.com"],
    "mobile": ["+44 20 7946 0958", "+49 30 901820", "+1 (202) 555-0143"],
    "account": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR1420041010050500013M02606"],
    "paid_with": ["4111 1111 1111 1111", "5500-0000-0000-0004", "340000000000009"],
    "seen_from": ["8.8.8.8", "2001:4860:4860::8888", "1.1.1.1"],
    "social": ["536-90-4399", "219-09-9998", "457-55-5462"],
    "paper": ["12345678Z", "X1234567L", "00000000T"],
    "securite": ["2 55 08 14 168 025 38"] * 3,
    "tax": [86095742719, 86095742719, 86095742719],
    "cpf_no": ["529.982.247-25", "529.982.247-25", "111.444.777-35"],
    "patient_no": [9434765919, 9434765919, 4010232137],
}
WHAT = {
    "contact": "e-mail address",
    "mobile": "telephone number",
    "account": "bank account (IBAN)",
    "paid_with": "payment card",
    "seen_from": "IP address",
    "social": "social security number (US)",
    "paper": "DNI or NIE (Spain)",
    "securite": "number of a person (France)",
    "tax": "tax number of a person (Germany)",
    "cpf_no": "CPF (Brazil)",
    "patient_no": "NHS number (England)",
}


def scanned(case, **columns):
    frame = pd.DataFrame(columns)
    return scan(duckdb.from_df(frame), case)


@pytest.fixture
def case(home, tmp_path):
    return small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH})


@pytest.mark.parametrize("column", PEOPLE)
def test_what_is_personal_is_found_by_its_values_and_told_masked(case, column):
    found = scanned(case, x1=PEOPLE[column])
    assert WHAT[column] in [each.what for each in found.found]
    first = next(each for each in found.found if each.what == WHAT[column])
    assert (first.column, first.rows, first.share, first.grade) == ("x1", 3, 1.0, "direct")
    assert first.example not in [str(value) for value in PEOPLE[column]]
    assert sum(each.isalnum() for each in first.example) <= 2


def test_one_address_in_a_thousand_notes_is_found_and_names_are_said_not_to_be(case):
    notes = ["the customer asked when it will be there"] * 999 + ["write to ann.lee@example.org or to +44 20 7946 0958 now"]
    found = scanned(case, note=notes)
    assert {(each.what, each.rows) for each in found.found} == {("e-mail address", 1), ("telephone number", 1)}
    assert found.texts == ["note"]


def test_long_numbers_by_chance_are_nobody(case):
    numbers = random.Random(0)
    columns = {
        f"n{digits}": [numbers.randrange(10 ** (digits - 1), 10**digits) for _ in range(2000)] for digits in (9, 10, 11, 15)
    }
    columns["n16"] = [str(numbers.randrange(10**15, 10**16)) for _ in range(2000)]
    columns["price"] = np.random.default_rng(0).normal(1e5, 1e4, 2000)
    columns["when"] = pd.date_range("2026-01-01", periods=2000)
    columns["version"] = ["1.2.3", "10.0.0.1"] * 1000
    assert scanned(case, **columns).found == []


def test_a_gap_hides_no_number(case):
    (found,) = scanned(case, x1=[86095742719.0, None, 86095742719.0]).found
    assert (found.what, found.rows, found.share) == ("tax number of a person (Germany)", 2, 1.0)


def test_names_of_columns_tell_what_no_pattern_can(case):
    found = scanned(case, first_name=["Ann"], dateOfBirth=["1980-01-01"], customer=[7], race=["x"], amount=[1])
    assert [(each.column, each.what, each.grade, each.rows) for each in found.found] == [
        ("first_name", "name of a person", "direct", None),
        ("dateOfBirth", "date of birth", "direct", None),
        ("customer", "number that stands for a person", "pseudonym", None),
        ("race", "attribute: origin", "attribute", None),
    ]
    assert [each.right for each in found.found][2] == "", "it is an identifier already"


def test_what_the_use_case_says_and_what_would_be_right(tmp_path, home):
    features = "{numeric: [a, b], categorical: [c, sex], text: [note, mail], identifiers: [customer], rules: {%s}}"
    more = "\nfairness: {protected: [sex, race], criteria: {selection_rate: {ratio: 0.8}}}"
    more += "\nmodel: {estimator: logistic_regression}"
    plain, hidden, kept = (
        parse_use_case(
            SMALL.format(path=tmp_path / "rows.csv").replace(
                "{numeric: [a, b], categorical: [c]}", features % rules + more + log
            ),
            "small.yaml",
        )
        for rules, log in (
            ("", ""),
            (("sex: {sensitive: true}, note: {sensitive: true}"), ""),
            (("sex: {sensitive: true}, note: {sensitive: true}"), "\nlog: {sensitive: keep}"),
        )
    )
    assert stands(plain, "c") == "feature (categorical; the log keeps it)"
    assert stands(hidden, "sex") == "feature (categorical; sensitive, the log: hash), protected"
    assert stands(plain, "customer").startswith("identifier")
    assert stands(plain, "street").startswith("no key names it")
    assert right(plain, "c", "direct").startswith("take it out of 'features'")
    assert right(plain, "c", "attribute").startswith("list it under 'fairness.protected'")
    assert right(plain, "sex", "attribute").startswith("write 'features.rules: {sex: {sensitive: true}}'")
    assert right(hidden, "sex", "attribute") == ""
    assert right(kept, "sex", "attribute").startswith("write 'log: {sensitive: hash}'")
    assert right(plain, "race", "attribute") == ""
    assert right(plain, "note", "direct").startswith("write 'features.rules: {note: {sensitive: true}}'")
    assert right(hidden, "note", "direct").startswith("take it out of the texts")
    assert right(plain, "customer", "direct") == right(plain, "customer", "pseudonym") == ""
    assert right(plain, "street", "direct").startswith("leave it out in 'source.query'")
    assert "ask whoever answers" in right(plain, "y", "attribute")


ROWS = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from([1.0, 2.0, None]), st.booleans()), min_size=1, max_size=40)


@given(ROWS, st.integers(2, 6))
def test_classes_are_counted_as_by_hand(rows, k):
    case = parse_use_case(SMALL.format(path="rows.csv") + f"privacy: {{quasi_identifiers: [p, q], k: {k}}}\n", "small.yaml")
    with duckdb.connect() as connection:
        connection.execute("create table t (p varchar, q double, y boolean)")
        connection.executemany("insert into t values (?, ?, ?)", [list(row) for row in rows])
        found = of_table(connection.table("t"), case, "source")
    sizes = Counter((p, q) for p, q, _ in rows)
    answers = {pair: {y for p, q, y in rows if (p, q) == pair} for pair in sizes}
    assert (found.rows, found.classes, found.smallest) == (len(rows), len(sizes), min(sizes.values()))
    assert found.below == sum(size for size in sizes.values() if size < k)
    assert found.told == sum(size for pair, size in sizes.items() if size >= k and len(answers[pair]) == 1)
    assert found.below_share == pytest.approx(found.below / len(rows))


def test_the_log_is_counted_by_what_it_has(log, case):
    listed = case.model_copy(update={"privacy": Privacy(quasi_identifiers=["c", "customer", "race"], k=3)})
    assert of_log(listed, ["c"]) is None, "no row"
    names = ["ann", "ann", "ann", "bob"]
    log.append([prediction(n, customer=names[n], features={"a": 1.0, "c": "r/~d", "customer": names[n]}) for n in range(4)])
    found = of_log(listed, ["c", "customer", "race"])
    assert (found.columns, found.rows, found.classes, found.smallest, found.below) == (["c", "customer"], 4, 2, 1, 1)
    assert found.unseen == {"race": "clients do not send it, so the log does not have it"}
    assert found.told is None
    omitting = listed.model_copy(update={"log": listed.log.model_copy(update={"sensitive": "omit"})})
    assert of_log(omitting, ["c"]) is None
    assert of_log(omitting, ["c", "customer"]).unseen == {"c": "the log leaves it out"}


def test_usual_quasi_identifiers_are_protected_or_tell_a_person(tmp_path, home):
    more = "\nfairness: {protected: [c], criteria: {selection_rate: {ratio: 0.8}}}"
    case = small_use_case(tmp_path, **{"categorical: [c]}": f"categorical: [c]}}{more}"})
    assert quasi_identifiers(case, ["a", "zip", "c", "age", "email", "birthdate", "y"]) == ["c", "zip", "age", "birthdate"]
    assert of_table(duckdb.sql("select 1 as a, 'no' as y"), small_use_case(tmp_path), "source") is None


@pytest.fixture
def written(tmp_path, monkeypatch, home):
    """Writes the small use case, over rows with an address each, and asks for its privacy."""
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path / "configs"))
    monkeypatch.setattr("console.cli.screen", Console(width=250))
    (tmp_path / "configs").mkdir()
    frame = small_frame()
    frame["mail"] = [f"someone{n}@example.org" for n in range(len(frame))]
    frame.to_csv(tmp_path / "rows.csv", index=False)

    def ask(*words, more=""):
        text = SMALL.format(path=tmp_path / "rows.csv")
        (tmp_path / "configs" / "small.yaml").write_text(text + more)
        return CliRunner().invoke(app, ["privacy", "small", *words])

    return ask


def test_the_command_tells_it_and_writes_nothing(written, home, tmp_path):
    shown = written(more="privacy: {quasi_identifiers: [c], k: 300}\n")
    assert shown.exit_code == 0, shown.exception
    told = " ".join(shown.output.split())
    assert "600 rows, 5 columns of the source" in told
    assert "e-mail address │ 600 (100.0%) │ s*******@*******.**g" in told
    assert "someone" not in told
    assert "leave it out in 'source.query'" in told
    assert "600 (100.0%), k 300" in told
    data = json.loads(written("--json").output)
    assert data["found"][0]["column"] == "mail"
    assert data["kept"] == []
    assert "Nothing to know a person by is declared or named" in written().output
    assert not home.exists()


def test_bad_input_is_told(written):
    def raised(more):
        error = written(more=more).exception
        assert isinstance(error, InputError), error
        return str(error)

    assert "privacy.quasi_identifiers: the source has no column 'cc'" in raised("privacy: {quasi_identifiers: [cc]}\n")
    assert check("small", lambda _: None).problems == [
        "privacy.quasi_identifiers: the source has no column 'cc'; did you mean 'c'?"
    ]
    assert "'cc' is listed twice" in raised("privacy: {quasi_identifiers: [cc, cc]}\n")
    assert "'privacy.k'" in raised("privacy: {k: 1}\n")
    assert "unknown key 'privacy.kk'" in raised("privacy: {kk: 1}\n")
    assert isinstance(CliRunner().invoke(app, ["privacy", "smal"]).exception, InputError)


def test_the_card_has_it_of_the_rows_that_were_learned_from(home, bundle_folder, built_bundle):
    stored(bundle_folder)
    gone = record_of("small", "1")
    assert gone.kept.nothing.endswith("is gone, so it cannot be looked at")
    shutil.copy(built_bundle[1], store("snapshots") / Path(built_bundle[1]).name)
    there = record_of("small", "1", Privacy(quasi_identifiers=["c"], k=5))
    assert there.personal.nothing.endswith("found nothing personal in 4 columns")
    ((of, alike, rows, classes, smallest, below, told),) = there.kept.rows
    assert (of, alike, rows, classes, below, told) == ("snapshot", "c", "600", "3", "0 (0.0%), k 5", "0 rows")
    assert int(smallest) > 100
    with pytest.raises(InputError, match="the snapshot has no column 'cc'"):
        record_of("small", "1", Privacy(quasi_identifiers=["cc"]))
