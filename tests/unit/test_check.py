"""`slipway check` tells all that is wrong with a use case at once, and runs nothing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from rich.console import Console

from configs.errors import InputError
from console.commands.check import check as shown
from tasks.onboarding.check import check
from tests.conftest import SMALL, small_frame


@pytest.fixture
def written(tmp_path, monkeypatch, home):
    """Writes the small use case over a frame, with some of its text replaced, and checks it."""
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path / "configs"))
    (tmp_path / "configs").mkdir()

    def write(frame=None, **replace):
        (small_frame() if frame is None else frame).to_csv(tmp_path / "rows.csv", index=False)
        text = SMALL.format(path=tmp_path / "rows.csv")
        for old, new in replace.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "configs" / "small.yaml").write_text(text)
        return check("small", lambda _: None)

    return write


def test_a_use_case_that_is_right_says_what_learns_and_what_judges(written, home):
    found = written()
    assert found.problems == []
    assert "600 rows: 4" in found.told[0]
    assert "3 features, problem binary" in found.told[0]
    assert not (home / "store").exists(), "nothing was run"


def test_the_command_writes_nothing(written, home, tmp_path):
    written()
    before = sorted(tmp_path.rglob("*"))
    slipway = Path(sys.executable).parent / "slipway"
    subprocess.run([slipway, "check", "small"], check=True, capture_output=True)
    assert sorted(tmp_path.rglob("*")) == before
    assert not home.exists()


def test_the_use_cases_of_the_project_are_right(home):
    assert check("loans", lambda _: None).problems == []


def test_everything_that_is_wrong_with_the_yaml_is_told_at_once(written):
    found = written(**{"metric: roc_auc": "metric: auc", "window: 100 rows": "windw: 100 rows", "name: small": "nam: small"})
    assert len(found.problems) == 4
    assert any("unknown key 'monitoring.windw'; did you mean 'window'?" in line for line in found.problems)
    assert any("'evaluation.gates.0.metric'" in line for line in found.problems)
    assert any("unknown key 'nam'" in line for line in found.problems)


RULES = "{numeric: [a, b], categorical: [c], rules: %s}"


@pytest.mark.parametrize(
    ("replace", "told"),
    [
        ({"rows.csv": "row.csv"}, "source.tables.rows: cannot read"),
        ({"numeric: [a, b]": "numeric: [a, bb]"}, "features.numeric: the source has no column 'bb'"),
        ({"column: y": "column: yy"}, "target.column: the source has no column 'yy'"),
        ({'positive: "yes"': 'positive: "Yes"'}, "target.positive: 'Yes' is not a value of 'y'; found 'no', 'yes'"),
        ({"numeric: [a, b], categorical: [c]": "numeric: [a, b, c]"}, "column 'c': must be a number"),
        ({"{numeric: [a, b], categorical: [c]}": RULES % "{a: {minimum: 0}}"}, "features.rules.a: .* outside 'minimum' 0"),
        ({"{numeric: [a, b], categorical: [c]}": RULES % "{c: {allowed: [red, green]}}"}, "'allowed' lacks 'blue'"),
        ({"{numeric: [a, b], categorical: [c]}": RULES % "{c: {minimum: 1}}"}, "are for numbers"),
        ({"monitoring: {": "split: {holdout: 0.02}\nmonitoring: {"}, "split.holdout: the holdout part has"),
        ({"  tables": "  time_column: c\n  tables"}, "'c' has '(red|green|blue)', which is no time"),
        ({"monitoring: {": "monitoring: {notify: [{by: slack, url: NO_SUCH}], "}, "the secret NO_SUCH is not set"),
    ],
)
def test_each_problem_is_a_line_with_its_key(written, replace, told):
    problems = written(**replace).problems
    assert len(problems) == 1
    import re

    assert re.search(told, problems[0]), problems


def test_what_leaks_and_what_is_missing_is_told(written):
    frame = small_frame()
    frame["b"] = np.where(frame["y"] == "yes", 1, 0)
    frame.loc[3, "a"] = None
    rules = RULES % "{a: {nullable: false}}"
    problems = written(frame, **{"{numeric: [a, b], categorical: [c]}": rules}).problems
    assert "features.rules.a: 'nullable' is false, and 1 rows have no value" in problems
    assert any("features: 'b' leaks the answer" in line for line in problems)


def test_three_values_are_no_two_classes(written):
    frame = small_frame()
    frame.loc[0, "y"] = "maybe"
    assert "has 3 values ('maybe', 'no', 'yes')" in written(frame).problems[0]


def test_the_command_ends_with_status_2_and_a_line_a_problem(written, capsys):
    written(**{"numeric: [a, b]": "numeric: [a, bb]", "column: y": "column: yy"})
    with pytest.raises(typer.Exit) as ending:
        shown("small", Console())
    assert ending.value.exit_code == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    with pytest.raises(InputError, match="no file"):
        shown("smal", Console())
