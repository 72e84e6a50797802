"""What orchestration costs: the `release` flow beside the same steps as one plain script, process start included.

Usage: python -m benchmarks.release_overhead [ROUNDS]

Each round releases `flights` twice on snapshots that end on different days (so that nothing is found in a cache), once by
`slipway release` and once by a script that calls the steps' functions without Prefect; the order alternates.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

SLIPWAY = str(Path(sys.executable).parent / "slipway")
ARTIFACTS = (
    *("data.validate.create_link", "training.evaluate.create_table", "packaging.variants.create_table"),
    *("containers.inventory.create_link", "containers.inventory.create_table", "gates.checks.create_table"),
    *("deploying.deploy.create_table", "deploying.deploy.create_markdown", "gates.load.create_link"),
)
FIRST_DAY = datetime(2013, 3, 2)


def main(rounds: int = 3) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "SLIPWAY_HOME": home}
        _run([SLIPWAY, "up"], environment)
        try:
            _run([SLIPWAY, "release", "flights", "--until", "2013-03-01"], environment)  # warm: image layers, MLflow
            flow, plain = [], []
            for number in range(rounds):
                days = [str((FIRST_DAY + timedelta(days=2 * number + i)).date()) for i in (0, 1)]
                commands = [
                    (flow, [SLIPWAY, "release", "flights", "--until", days[0]]),
                    (plain, [sys.executable, "-m", "benchmarks.release_overhead", "--plain", days[1]]),
                ]
                for seconds, command in commands if number % 2 == 0 else reversed(commands):
                    seconds.append(_run(command, environment))
        finally:
            _run([SLIPWAY, "down"], environment)
    table = Table(title=f"release of flights, {rounds} rounds, seconds")
    for column in ("how", "median", "min", "max"):
        table.add_column(column)
    for name, seconds in (("flow", flow), ("plain script", plain)):
        table.add_row(name, *(f"{value:.1f}" for value in (statistics.median(seconds), min(seconds), max(seconds))))
    Console().print(table)
    ratios = [a / b for a, b in zip(flow, plain, strict=True)]
    print(f"flow / plain: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def plain_script(until: str) -> None:
    """The steps of `release`, called as functions."""
    from unittest.mock import patch

    from prefect.logging import disable_run_logger

    from configs.forms import parse_time
    from configs.load import load_use_case
    from tasks.containers import containerize, inventory, publish
    from tasks.data import derive_contract, ingest, split, validate
    from tasks.deploying import deploy, reconcile
    from tasks.gates import rehearsal
    from tasks.gates.behaviour import behaviour_gate
    from tasks.gates.contract import contract_gate
    from tasks.gates.integration import integration_gate
    from tasks.gates.load import load_gate
    from tasks.packaging import bundle, convert, sign, variants
    from tasks.registry import lineage, register
    from tasks.registry import versions as registry
    from tasks.training import evaluate, train

    case, moment = load_use_case("flights"), parse_time(until)
    with ExitStack() as stack:
        stack.enter_context(disable_run_logger())
        for name in ARTIFACTS:
            stack.enter_context(patch(f"tasks.{name}_artifact", lambda **_: None))
        serving = registry.champion(case.name)
        snapshot = ingest.ingest.fn(case, moment)
        contract = derive_contract.derive_contract.fn(case, snapshot)
        validate.validate.fn(case, snapshot, contract, serving.tags["contract"] if serving else None)
        parts = split.split.fn(case, snapshot)
        recipe = (contract, case.recipe)
        candidate = train.train.fn(snapshot, parts.learn, *recipe)
        evaluation = evaluate.evaluate.fn(case, parts, contract, candidate)
        final = train.train.fn(snapshot, parts.final, *recipe)
        onnx = convert.convert.fn(parts, contract, case.features, final)
        onnx = variants.choose_variant.fn(parts, contract, case.features, onnx)
        origin = lineage.lineage(case, parts, moment, contract, onnx)
        packed = bundle.bundle.fn(case, snapshot, contract, onnx, evaluation, origin)
        packed = sign.sign.fn(packed)
        version = register.register.fn(case, packed, onnx, evaluation)
        image = containerize.containerize.fn(case, version)
        inventory.inventory.fn(case, version, image)
        wanted = reconcile.describe(case, version, publish.publish.fn(case, image))
        deploy.plan.fn(wanted)
        with rehearsal.reachable(deploy.bring_up.fn(rehearsal.stand_in(wanted))) as rehearsed:
            contract_gate.fn(rehearsed, version)
            integration_gate.fn(rehearsed, version)
            behaviour_gate.fn(case, rehearsed)
            load_gate.fn(case, rehearsed)
        release = deploy.bring_up.fn(wanted)
        contract_gate.fn(release, version)
        deploy.switch.fn(version, release, "benchmark")


def _run(command: list[str], environment: dict[str, str]) -> float:
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - began


if __name__ == "__main__":
    if sys.argv[1:2] == ["--plain"]:
        plain_script(sys.argv[2])
    else:
        main(*(int(word) for word in sys.argv[1:]))
