"""Words that have changed: what was written with the old ones is still read."""

from configs.load import load_use_case
from configs.renamed import RENAMED, in_todays_words
from configs.schema import UseCase
from tasks.deploying.values import Release
from tasks.monitoring.values import Kpi

RELEASE = {"name": "n", "use_case": "u", "version": "1", "bundle": "b", "image": "i", "log": "predictions", "settings": {}}


def test_a_use_case_that_was_recorded_with_old_keys_is_built_again():
    now = load_use_case("flights").model_dump(mode="json")
    recorded = {key: dict(value) if isinstance(value, dict) else value for key, value in now.items()}
    for old, new in RENAMED.items():
        (group, before), (_, after) = old.split("."), new.split(".")
        recorded[group][before] = recorded[group].pop(after)
    assert recorded != now
    assert UseCase.model_validate(in_todays_words(recorded)) == load_use_case("flights")


def test_a_release_that_runs_since_before_is_known():
    assert Release.model_validate({**RELEASE, "target": "docker"}) == Release(**RELEASE, platform="docker")


def test_a_finding_of_before_has_its_objectives():
    assert Kpi.model_validate({"value": 1.0, "rows": 2, "target": "at most 3"}).objective == "at most 3"
