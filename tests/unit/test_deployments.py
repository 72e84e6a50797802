"""`prefect.yaml` is read by `slipway up`; a slip in it is found here in a moment and not there after a minute."""

import importlib

from ruamel.yaml import YAML

from configs.load import use_case_names
from configs.settings import PROJECT
from tasks.may_retrain import HELD_BACK


def test_every_deployment_has_a_flow_with_its_parameters():
    deployments = YAML(typ="safe").load((PROJECT / "prefect.yaml").read_text())["deployments"]
    for deployment in deployments:
        path, _, name = deployment["entrypoint"].partition(":")
        flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
        given = [deployment, *deployment.get("schedules", []), *deployment.get("triggers", [])]
        for parameters in (each.get("parameters", {}) for each in given):
            assert set(parameters) <= set(flow.parameters.properties), f"{name}: {parameters}"
            assert parameters.get("use_case", "flights") in [*use_case_names(), "{{ event.payload.use_case }}"]


def test_every_cause_that_may_start_a_retraining_has_a_trigger():
    deployments = YAML(typ="safe").load((PROJECT / "prefect.yaml").read_text())["deployments"]
    (retrain,) = [d for d in deployments if d["entrypoint"] == "flows/retrain.py:retrain"]
    assert [event for trigger in retrain["triggers"] for event in trigger["expect"]] == [f"slipway.{c}" for c in HELD_BACK]
