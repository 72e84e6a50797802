"""Commands on every use case: what is damaged in one is told, and stops no other."""

import pytest

from configs.errors import CheckFailed
from configs.settings import use_case_home
from console import releases
from console.commands.status import _serving
from tasks.deploying import reconcile
from tasks.history import record


@pytest.fixture
def damaged(home):
    """Three use cases; the record of a release of the second one is cut off."""
    for name in ("apples", "bread", "cheese"):
        record(name, "deploy", "a test", version="1")
    folder = use_case_home("bread") / "releases" / "bread-v1"
    folder.mkdir(parents=True)
    (folder / "release.json").write_text('{"name": "bre')


def test_a_use_case_that_cannot_be_read_stops_no_other(damaged, monkeypatch):
    reached, read = [], reconcile.releases
    monkeypatch.setattr(reconcile, "releases", lambda name: reached.append(name) or read(name))
    with pytest.raises(CheckFailed, match=r"^not every use case did stop\nbread: .*release.json is damaged[^\n]*$"):
        releases.stop_all(print)
    assert reached == ["apples", "bread", "cheese"]


def test_the_status_of_a_damaged_release_says_so(damaged):
    assert "release.json is damaged" in _serving("bread")[-1]
    assert _serving("apples")[-1] == "down"
