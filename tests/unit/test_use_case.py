import os
import re

import pytest

from configs.errors import InputError
from configs.load import load_use_case, parse_use_case, use_case_file, use_case_names
from configs.settings import PROJECT

FLIGHTS = (PROJECT / "configs" / "flights.yaml").read_text()


def test_every_use_case_of_the_project_loads():
    assert use_case_names() == ["flights", "loans"]
    for name in use_case_names():
        assert load_use_case(name).name == name


def test_a_recorded_use_case_reads_back_equal():
    case = load_use_case("flights")
    assert type(case).model_validate(case.model_dump(mode="json")) == case


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("holdout:", "holdot:", "unknown key 'split.holdot'; did you mean 'holdout'?"),
        ("features:", "featurs:", "unknown key 'featurs'; did you mean 'features'?"),
        ("seed: 0", "seed: x", "'model.seed': input should be a valid integer"),
        ("metric: brier", "metric: brie", "'evaluation.gates.1.metric': input should be 'roc_auc'"),
        ("at_most: 0.25", "at_mos: 0.25", "unknown key 'evaluation.gates.1.at_mos'; did you mean 'at_most'?"),
        ("holdout: 14 days", "holdout: 14 dayz", "'14 dayz' is not a length of time; write for example '7 days'"),
        ("  column: late", "  column: temp", "the target 'temp' is also a feature"),
        ("window: 1 month", "window: 1 moon", "'1 moon' is not a length of time"),
        ("at_most: 250", "at_mst: 250", "unknown key 'monitoring.objectives.0.at_mst'; did you mean 'at_most'?"),
        ("  objectives:", "  targets:", "'monitoring.targets' is called 'monitoring.objectives' now"),
        ("deploy: {platform: auto", "deploy: {target: auto", "'deploy.target' is called 'deploy.platform' now"),
        ("kpi: refused, at_most: 0.01", "kpi: refused", "give one of 'at_least' and 'at_most'"),
        ("kpi: refused, at_most: 0.01", "kpi: latency_p99, at_least: 1", "'objectives': 'latency_p99' has two"),
        ("  time_column: scheduled_at\n", "", "'source.time_column' is not set"),
        ("start: 2013-03-01", "start: soon", "'soon' is not a time"),
        ("target:\n  column: late", "target:\n  colum: late", "'target.colum'"),
        ("    temp: {nullable: true}", "    tmp: {nullable: true}", "rule for 'tmp', which is not a feature"),
        ("[carrier, origin, dest]", "[carrier, carrier]", "'carrier' is listed twice"),
        ("name: flights", "name: [1", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_key_and_remedy(old, new, told):
    assert old in FLIGHTS
    text = FLIGHTS.replace(old, new, 1)
    with pytest.raises(InputError) as caught:
        parse_use_case(text, "configs/flights.yaml")
    message = str(caught.value)
    assert told in message
    assert message.startswith("configs/flights.yaml:")
    line = int(message.split(":")[1])
    assert 1 <= line <= text.count("\n") + 1
    assert "\n" not in message


def test_the_line_is_the_line_of_the_key():
    text = FLIGHTS.replace("holdout:", "holdot:", 1)
    number = next(i for i, line in enumerate(text.splitlines(), 1) if "holdot" in line)
    with pytest.raises(InputError, match=f"flights.yaml:{number}: "):
        parse_use_case(text, "flights.yaml")


def test_unknown_use_case_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'flights'"):
        load_use_case("flight")


def test_use_cases_may_lie_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path))
    (tmp_path / "elsewhere.yaml").write_text(FLIGHTS.replace("name: flights", "name: elsewhere"))
    assert use_case_names() == ["elsewhere"]
    assert load_use_case("elsewhere").name == "elsewhere"
    with pytest.raises(InputError, match=re.escape(f"no file {tmp_path}/flights.yaml; known: elsewhere")):
        load_use_case("flights")


def test_several_folders_hold_use_cases_but_none_twice(tmp_path, monkeypatch):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder, name in ((ours, "one"), (theirs, "two")):
        folder.mkdir()
        (folder / f"{name}.yaml").write_text(FLIGHTS.replace("name: flights", f"name: {name}"))
    monkeypatch.setenv("SLIPWAY_USE_CASES", f"{ours}{os.pathsep}{theirs}")
    assert use_case_names() == ["one", "two"]
    assert (use_case_file("two"), use_case_file("new")) == (theirs / "two.yaml", ours / "new.yaml")
    (ours / "two.yaml").write_text("")
    with pytest.raises(InputError, match=re.escape(f"twice, in {ours}/two.yaml and {theirs}/two.yaml; rename")):
        load_use_case("two")


def test_a_window_that_is_not_named_fits_the_source():
    loans = (PROJECT / "configs" / "loans.yaml").read_text()
    assert parse_use_case(loans.replace("  window: 300 rows\n", ""), "loans.yaml").monitoring.window == "300 rows"
    flights = (PROJECT / "configs" / "flights.yaml").read_text()
    assert parse_use_case(flights.replace("  window: 1 month\n", ""), "flights.yaml").monitoring.window == "7 days"
