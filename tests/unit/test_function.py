"""Templates of functions are held to AWS's own description of its resources; what cannot be packaged is one clear error."""

import subprocess
import sys
from pathlib import Path

import pytest

from configs.errors import InputError
from configs.load import load_use_case
from console.cli import main
from tasks.containers import function
from tasks.containers.function import zip_function
from tasks.containers.function_template import TEMPLATE, function_template

LINT = Path(sys.executable).with_name("cfn-lint")


def faults(text, folder):
    (folder / "template.yaml").write_text(text)
    (folder / "loans-v3.zip").touch()
    done = subprocess.run([LINT, "template.yaml"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


def test_templates_are_what_aws_takes(tmp_path):
    image, archive = TEMPLATE.read_text(), function_template(load_use_case("loans"), "3", "loans-v3.zip")
    assert faults(image, tmp_path) == ""
    assert faults(archive, tmp_path) == ""
    assert "MemorySizes" in faults(archive.replace("MemorySize:", "MemorySizes:"), tmp_path), "the check can fail"
    assert "'python3.6'" in faults(archive.replace("python3.13", "python3.6"), tmp_path)


def test_without_the_python_of_lambdas_runtime_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(function, "PYTHON", "3.0")
    with pytest.raises(InputError, match=r"compiled with that Python, and there is no python3\.0 on the path"):
        zip_function(tmp_path, tmp_path / "f.zip", print)
    assert not (tmp_path / "f.zip").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("function", "loans"), "nothing of 'loans' serves, so there is nothing to package; 'slipway release loans'"),
        (("function", "loans", "--version", "7"), "version 7 of 'loans' was never deployed here"),
    ],
)
def test_what_is_not_there_is_told(words, told, home, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["slipway", *words])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 2
    assert told in capsys.readouterr().err
