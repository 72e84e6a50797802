"""What people write becomes a text of the use case that `slipway init` writes; codes, names and addresses do not."""

import numpy as np
import pandas as pd
import pytest

from configs.load import parse_use_case
from tasks.data.frames import contract_of, encode, read_rows
from tasks.onboarding.check import check
from tasks.onboarding.prose import is_prose
from tasks.onboarding.written import as_yaml
from tasks.training.fitted import load
from tests.conftest import small_frame
from tests.unit.test_init import configs, proposed, released, started  # noqa: F401 a fixture

THINGS = ["card", "payment", "transfer", "account", "top up", "refund", "cash", "fee", "exchange rate", "pin"]
ASKED = {
    "arrival": ["when will my {} arrive", "how long until the {} is here", "has the {} been sent to me yet"],
    "lost": ["i cannot find my {} any more", "my {} seems to be gone", "somebody took the {} from me"],
    "wrong": ["why is the {} not right", "there is a mistake in my {}", "the {} differs from what i asked for"],
}


def questions(rows=700, seed=0, noise=0.1):
    """What customers ask, and which of three things they want; a tenth of the answers is anything."""
    dice = np.random.default_rng(seed)
    intents = dice.choice(list(ASKED), rows)
    texts = [
        f"{dice.choice(ASKED[intent]).format(dice.choice(THINGS))} since day {dice.integers(1, 400)}, please"
        for intent in intents
    ]
    mixed = np.where(dice.random(rows) < noise, dice.choice(list(ASKED), rows), intents)
    return pd.DataFrame({"question": texts, "intent": mixed})


def strings(rows=500):
    dice = np.random.default_rng(0)
    first, last = dice.choice(["Maria", "John", "Wei", "Olu", "Ana"], rows), [f"{n:x}son".title() for n in range(rows)]
    return {
        "prose": questions(rows)["question"],
        "日本語": pd.Series([f"カードがまだ届いていません。{n}日前に注文しました。" for n in range(rows)]),
        "capitals": questions(rows)["question"].str.upper(),
        "names": pd.Series([f"Ms. {one} van {other}, Dr." for one, other in zip(first, last, strict=True)]),
        "addresses": pd.Series([f"{n} Main Street, Springfield, IL {60000 + n}" for n in range(rows)]),
        "e-mails": pd.Series([f"{one.lower()}.{n}@example.com" for n, one in enumerate(first)]),
        "codes": pd.Series([f"AB {n:04d} {n * 7919 % 9973:04d} X" for n in range(rows)]),
        "hashes": pd.Series([f"{n * 2654435761 % 2**64:064x}" for n in range(rows)]),
        "urls": pd.Series([f"https://example.com/what-is-it/and/how?page={n}" for n in range(rows)]),
        "few": pd.Series(dice.choice(["some of it but not all", "all of it and more of it", "none of it at all"], rows)),
        "letters": pd.Series([" ".join("".join(dice.choice(list("abcdefghij"), 7)) for _ in "wxyz") for _ in range(rows)]),
    }


@pytest.mark.parametrize("what", strings())
def test_prose_is_what_people_write(what):
    assert is_prose(strings()[what]) == (what in ("prose", "日本語", "capitals"))


def test_a_table_of_questions_releases_without_an_edit(configs, home, quiet, tmp_path):  # noqa: F811
    frame = questions()
    frame.loc[::50, "question"] = None
    frame.to_csv(tmp_path / "rows.csv", index=False)
    shown, case = started(tmp_path / "rows.csv", "intent")
    assert (case.features.all, case.features.text) == (["question"], ["question"])
    assert (case.model.estimator, case.model.parameters) == ("logistic_regression", {"C": 10})
    assert 0.7 < case.evaluation.gates[0].at_least < 0.9
    written = (configs / "new.yaml").read_text()
    assert "    - question  # what people write: " in written
    assert "of several words, most of which come again" in written
    assert "Model: logistic_regression, since it reads texts" in shown
    released(case)
    assert check("new", lambda _: None).problems == []


def test_a_text_beside_numbers_and_a_number_to_predict(configs, home, quiet, tmp_path):  # noqa: F811
    frame = questions(900)
    stars = frame.pop("intent").map({"arrival": 3.0, "lost": 1.0, "wrong": 2.0})
    dice = np.random.default_rng(1)
    frame = frame.assign(waited=dice.normal(size=900), shop=dice.choice(["a", "b"], 900))
    frame["rating"] = (stars + frame["waited"] + dice.normal(size=900) / 4).round(2)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    _, case = started(tmp_path / "rows.csv", "rating")
    assert case.features.all == ["shop", "waited", "question"]
    assert case.model.estimator == "ridge"
    released(case)


def test_a_text_that_says_less_than_trees_see_without_it_is_left_out(tmp_path):
    frame = small_frame(1500)
    frame["said"] = questions(1500)["question"]
    frame["y"] = np.where((frame["a"] * frame["b"] > 0) ^ (np.random.default_rng(1).random(1500) < 0.1), "yes", "no")
    found, columns = proposed(tmp_path, frame)
    assert found.model.estimator == "hist_gradient_boosting"
    assert columns["said"].kind == "text"
    assert "trees, which take no text, reach roc_auc" in columns["said"].why_out
    case = parse_use_case(as_yaml(found), "new.yaml")
    assert case.features.text == []
    assert set(case.features.all) == {"a", "b", "c"}


def test_texts_by_which_the_answer_is_told_are_asked_about_and_records_of_it_left_out(tmp_path):
    frame = questions(noise=0.0)
    frame["y"] = np.where(frame.pop("intent") == "lost", "yes", "no")
    found, columns = proposed(tmp_path, frame)
    assert columns["question"].note.startswith("alone reaches roc_auc 1.00: is it known when the question is asked?")
    assert found.model.estimator == "logistic_regression"
    frame["log"] = frame["question"].sample(frac=1, random_state=0).to_numpy() + np.where(
        frame["y"] == "yes", " and so it was closed", " and so it was kept"
    )
    _, columns = proposed(tmp_path, frame)
    assert "leaks the answer: whether it has the word" in columns["log"].why_out
    assert columns["question"].is_feature


def test_texts_that_hold_addresses_and_numbers_of_people_are_kept_as_a_hash(tmp_path):
    frame = questions()
    found, _ = proposed(tmp_path, frame, "intent")
    assert "  # rules:\n  #   question: {sensitive: true}" in as_yaml(found)
    frame.loc[::10, "question"] += " write to maria.s@example.com or call 0170 123 45 67"
    found, columns = proposed(tmp_path, frame, "intent")
    assert columns["question"].personal == (
        "70 of 700 texts looked at hold an e-mail address or a number of nine digits or more"
    )
    assert columns["question"].example == ""
    assert parse_use_case(as_yaml(found), "new.yaml").features.rules["question"].sensitive
    frame = frame.rename(columns={"question": "health_report"}).assign(other=range(700))
    _, columns = proposed(tmp_path, frame.assign(other=np.random.default_rng(0).normal(size=700)), "intent")
    assert "looks sensitive" in columns["health_report"].why_out
    assert columns["health_report"].example == ""


def test_the_part_of_a_study_is_no_feature(tmp_path):
    frame = small_frame().assign(split=["Train", "test", "train"] * 200)
    assert "for what a row was meant" in proposed(tmp_path, frame)[1]["split"].why_out


def test_real_questions_of_77_intents_release_without_an_edit(configs, home, quiet, real_data):  # noqa: F811
    if not (real_data / "banking77.csv").is_file():
        pytest.skip("no banking77.csv here")
    _, case = started(real_data / "banking77.csv", "intent")
    assert case.features.all == ["text"]
    assert len(case.source.tables) == 1
    assert case.evaluation.gates[0].at_least > 0.85
    snapshot, contract, fitted = released(case)
    columns, rows = contract_of(contract), read_rows(snapshot, 0, 5)
    assert len(columns.classes) == 77
    assert load(fitted).predict_proba(encode(columns, rows)[["text"]]).shape == (5, 77)
