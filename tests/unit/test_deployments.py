"""The pattern in `prefect.yaml`, and what is made of it; a slip is found here in a moment and not in `slipway up`."""

import importlib
import json

import pytest

from configs.errors import InputError
from configs.load import load_use_case, parse_use_case, use_case_names
from console.pattern import flow_of, longest_pause, read_pattern, rendered
from tasks.training.may_retrain import HELD_BACK
from tests.conftest import SMALL

FLOWS = {
    *("release", "monitor", "missed", "failed", "retrain", "deploy", "rollback", "rollout", "score", "reproduce"),
    "compare",
    "maintain",
    "approval",
}


def changed(name, **parts):
    case = load_use_case(name)
    inner = {part: getattr(case, part).model_copy(update=keys) for part, keys in parts.items() if isinstance(keys, dict)}
    return case.model_copy(update={**parts, **inner})


def by_flow(case, paused=False):
    return {flow_of(deployment): deployment for deployment in rendered(case, "pool", paused)["deployments"]}


def test_the_pattern_as_it_stands_is_what_is_made_of_its_example():
    """So `prefect deploy --all` by itself registers what `slipway up` does, but for the folder and the pool."""
    ours, theirs = rendered(load_use_case("flights"), "{{ $SLIPWAY_POOL }}", False), read_pattern()
    assert ours["deployments"] == [{**each, "paused": False} for each in theirs["deployments"]]
    assert ours["name"] == theirs["name"]


@pytest.mark.parametrize("name", use_case_names())
def test_every_deployment_has_a_flow_with_its_parameters_and_speaks_of_its_use_case_only(name):
    from prefect.cli.deploy._triggers import DeploymentTriggerAdapter

    case = load_use_case(name)
    for deployment in rendered(case, "pool", False)["deployments"]:
        path, _, entry = deployment["entrypoint"].partition(":")
        flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), entry)
        assert flow.name == flow_of(deployment)
        assert (deployment["name"], deployment["tags"]) == (name, ["slipway", flow.name, name])
        assert name in deployment["description"]
        given = [deployment, *deployment.get("schedules", []), *deployment.get("triggers", [])]
        for parameters in (each["parameters"] for each in given if "parameters" in each):
            assert set(parameters) <= set(flow.parameters.properties), f"{entry}: {parameters}"
            assert parameters["use_case"] == name
        for trigger in deployment.get("triggers", []):
            DeploymentTriggerAdapter.validate_python(trigger)
    assert by_flow(case).keys() == FLOWS
    if name != "flights":
        assert "flights" not in json.dumps(rendered(case, "pool", False)["deployments"])


def test_schedules_are_those_of_the_use_case():
    case = changed(
        "loans",
        time_zone="Europe/Berlin",
        monitoring={"schedule": "0 6 * * 1-5"},
        retraining={"schedule": "0 4 1 * *"},
        log={"schedule": None},
    )
    found, zone = by_flow(case), "Europe/Berlin"
    times = {
        flow: [(s["cron"], s["timezone"]) for s in found[flow]["schedules"]] for flow in ("monitor", "retrain", "maintain")
    }
    assert times == {"monitor": [("0 6 * * 1-5", zone)], "retrain": [("0 4 1 * *", zone)], "maintain": []}
    assert found["monitor"]["work_pool"] == {"name": "pool"}
    (missed,) = found["missed"]["triggers"]
    # Friday to Monday, an hour more where the clock is set back, and two hours.
    assert (missed["within"], missed["parameters"]["waited"]) == (75 * 3600, "75 hours")


def test_a_use_case_that_is_not_to_be_monitored_is_not_missed():
    found = by_flow(changed("loans", monitoring={"schedule": None}))
    assert (found["monitor"]["schedules"], found["missed"]["triggers"]) == ([], [])


def test_before_its_first_release_nothing_of_a_use_case_starts_by_itself():
    for deployment in by_flow(load_use_case("flights"), paused=True).values():
        assert deployment["paused"]
        assert not any(trigger["enabled"] for trigger in deployment.get("triggers", []))


def test_every_cause_that_may_start_a_retraining_has_a_trigger():
    (trigger,) = by_flow(load_use_case("loans"))["retrain"]["triggers"]
    assert trigger["expect"] == [f"slipway.{cause}" for cause in HELD_BACK]


@pytest.mark.parametrize(
    ("cron", "hours"), [("15 3 * * *", 24), ("0 4 1 * *", 31 * 24), ("*/10 9-17 * * 1-5", 63 + 1 / 6), ("30 4 * * *", 25)]
)
def test_the_longest_pause_of_a_schedule(cron, hours):
    """Of the last the clock is set back in between: a day of 25 hours."""
    zone = "Europe/Berlin" if hours == 25 else "UTC"
    assert longest_pause(cron, zone).total_seconds() == pytest.approx(hours * 3600)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("monitoring: {window: 100 rows, schedule: daily}", "'monitoring.schedule': 'daily' is not a cron expression"),
        ("monitoring: {window: 100 rows, schedule: '0 0 30 2 *'}", "is not a cron expression that ever comes"),
        ("monitoring: {window: 100 rows, schedule: '0 0 3 * * *'}", "is not a cron expression that ever comes"),
        ("monitoring: {window: 100 rows}\ntime_zone: Berlin", "'time_zone': 'Berlin' is not a time zone"),
    ],
)
def test_a_wrong_schedule_is_told(line, told):
    text = SMALL.format(path="rows.csv").replace("monitoring: {window: 100 rows}", line)
    with pytest.raises(InputError, match=told):
        parse_use_case(text, "small.yaml")
