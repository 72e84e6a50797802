"""The main job on real flights: two months of it, from nothing to a retraining that Prefect itself started."""

import re

from tests.integration.conftest import Home


def test_the_year_begins(tmp_path):
    home = Home(tmp_path / "home")
    output = home.run("run", "flights", "--once", "--until", "2013-05-01")
    assert "flights serves at http://127.0.0.1:" in output
    assert re.search(r"2013-03.*0\.7\d\d", output)
    assert "2013-04" in output
    assert "waiting for Prefect to start the retraining" in output
    assert "Beginning flow run 'retrain-flights-drift" in output
    assert "failed" not in output.replace("0 failed", "")
    again = home.run("run", "flights", "--once", "--until", "2013-05-01")
    assert "Trained" not in again
    assert "waiting for Prefect" not in again
    assert "down" in home.run("status")


def test_the_second_use_case(tmp_path):
    """`loans`: no time column, so a seeded random order and windows in rows; findings start no retraining."""
    home = Home(tmp_path / "home")
    output = home.run("run", "loans", "--once")
    assert "loans serves at http://127.0.0.1:" in output
    for window in ("rows-0-299", "rows-300-599", "rows-600-899"):
        assert re.search(rf"{window}.*0\.\d\d\d", output), window
    assert "waiting for Prefect" not in output
    assert "retrain" not in output.split("Deploys and verdicts")[0].replace("never retrained", "")
