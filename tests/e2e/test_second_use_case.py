"""The main job on `loans`: no time column, so a seeded random order and windows in rows."""

import re

from tests.integration.conftest import Home


def test_from_nothing_to_the_last_window(tmp_path):
    """Findings of `loans` start no retraining."""
    home = Home(tmp_path / "home")
    output = home.run("run", "loans", "--once")
    assert "loans serves at http://127.0.0.1:" in output
    for window in ("rows-0-299", "rows-300-599", "rows-600-899"):
        assert re.search(rf"{window}.*0\.\d\d\d", output), window
    assert "waiting for Prefect" not in output
    assert "retrain" not in output.split("Deploys and verdicts")[0].replace("never retrained", "")
