"""A table of texts, from `slipway init` to a model that is released, asked, and trained again beside the one that serves."""

import httpx
import pandas as pd
import pytest

from tests.integration.conftest import Home
from tests.unit.test_init_text import questions


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    """Not the home that tests share: there, use cases that this folder lacks would be paused."""
    home = Home(tmp_path / "home", SLIPWAY_USE_CASES=str(tmp_path / "configs"))
    monkeypatch.setenv("SLIPWAY_HOME", str(home.folder))
    yield home
    home.run("down")


def test_a_table_of_texts_is_released_asked_and_trained_again(own_home, tmp_path):
    from tasks.history import read_history
    from tasks.routing.gateway import address

    table = tmp_path / "questions.csv"
    questions(600).to_csv(table, index=False)
    assert "Model: logistic_regression" in own_home.run("init", str(table), "--target", "intent")
    own_home.run("release", "questions")
    first = httpx.get(f"{address('questions')}/readyz", timeout=5).raise_for_status().json()
    asked = [
        "When will my CARD arrive?",
        "somebody took the pin from me, please",
        "the fee differs from what i asked for",
        ".",
    ]
    sent = {"records": [{"question": text} for text in asked]}
    answers = httpx.post(f"{address('questions')}/predict", json=sent, timeout=10).raise_for_status().json()["predictions"]
    assert [row["prediction"] for row in answers][:3] == ["arrival", "lost", "wrong"]
    refused = httpx.post(f"{address('questions')}/predict", json={"records": [{"question": ""}]}, timeout=10)
    assert refused.status_code in (400, 422)
    assert "question" in refused.text
    pd.concat([questions(600), questions(900, seed=1)]).to_csv(table, index=False)
    output = own_home.run("retrain", "questions")
    assert "Trained logistic_regression" in output
    verdict = read_history("questions", "verdict")[-1]
    after = httpx.get(f"{address('questions')}/readyz", timeout=5).raise_for_status().json()
    assert (after["version"] != first["version"]) == verdict["better"]
    again = httpx.post(f"{address('questions')}/predict", json=sent, timeout=10).raise_for_status().json()["predictions"]
    assert [row["prediction"] for row in again][:3] == ["arrival", "lost", "wrong"]
