"""The main job on real flights: two months of it, from nothing to a retraining that Prefect itself started."""

import re
import signal

from tests.integration.conftest import Home
from tests.integration.server import read_until


def test_the_year_begins_stops_and_goes_on(tmp_path):
    """Interrupted in the middle of the first retraining, the same command goes on where it stood."""
    home = Home(tmp_path / "home", usual_ports=True)
    words = ("run", "flights", "--once", "--until", "2013-05-01")
    process = home.command(*words)
    before = read_until(process, "Beginning flow run 'retrain-flights-")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    first = before + rest
    assert process.returncode == 130, first
    assert "flights serves at http://127.0.0.1:" in first
    assert "waiting for Prefect to start the retraining" in first
    assert "stopped; run the same command again" in first
    assert "down" in home.run("status")

    output = home.run(*words)
    assert "The champion comes back" in output
    assert "Window 2013-03 ─" in first
    assert "no drift" in first or "harmless" in first  # March: some columns moved, at no cost, so nothing is trained
    assert "Window 2013-04 ─" in first
    assert "Window 2013-03 ─" not in output
    assert "Window 2013-04 ─" not in output
    assert output.count("Beginning flow run 'retrain-flights-drift") == 1  # April's again
    assert re.search(r"2013-03.*0\.7\d\d", output)
    assert "failed" not in output.replace("0 failed", "")

    again = home.run(*words)
    assert "Trained" not in again
    assert "waiting for Prefect" not in again
