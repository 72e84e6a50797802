"""A run that failed is told over a real channel, and one whose channel is dead is told by the next run."""

import json

import pytest
from prefect.logging import disable_run_logger

from configs.schema import Notify
from tasks.history import read_history
from tasks.monitoring.alerts.failed_run import tell_failed_run
from tasks.monitoring.alerts.outbox import waiting
from tests.unit.test_outbox import posts, with_channels

__all__ = ["posts"]


@pytest.mark.parametrize("path", ["/hook", "/dead"])
def test_a_failed_run_is_told_by_the_channels_of_alarms(home, tmp_path, posts, monkeypatch, path):
    address, received = posts
    monkeypatch.setenv("HOOK", address + path)
    monkeypatch.setattr("tasks.monitoring.alerts.critical.WAITS", ())
    (home / "services.json").write_text(json.dumps({"prefect": {"port": 4200}, "reports": {"port": 8081}}))
    case = with_channels(tmp_path, Notify(by="webhook", url="HOOK", at_least="critical"))
    with disable_run_logger():
        tell_failed_run.fn(case, "retrain-small-drift", "prefect.flow-run.0192", "Crashed", "process exited with -9")
    (message,) = received
    assert (message["cause"], message["run"]) == ("crashed", "retrain-small-drift")
    assert message["reason"] == "the run 'retrain-small-drift' ended as Crashed: process exited with -9"
    assert [entry["reason"] for entry in read_history("small", "failed")] == [message["reason"]]
    assert bool(waiting("small")) == (path == "/dead")
