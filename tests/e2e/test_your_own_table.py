"""docs/your-own-table.md: its commands, pasted as they stand, take a table to a prediction."""

import os
import re
import subprocess
import sys
from pathlib import Path

from configs.settings import PROJECT
from tests.integration.conftest import own_ports

PAGE = PROJECT / "docs" / "your-own-table.md"


def pasted():
    """The commands of the page behind its set-up, as a shell script."""
    _, *blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    return "set -e\n" + "".join(re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in blocks)


def test_the_page_takes_a_table_to_a_prediction(tmp_path):
    environment = {**os.environ, **own_ports(), "SLIPWAY_HOME": str(tmp_path / ".slipway")}
    environment |= {"SLIPWAY_USE_CASES": str(tmp_path / "configs"), "COLUMNS": "200"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 600}
    try:
        done = subprocess.run(["bash", "-c", pasted()], check=False, **run)
    finally:
        subprocess.run(["slipway", "down"], check=True, **run)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "customers version 1 serves" in told
    for left_out in ("leaks the answer: it is filled only where the answer is one", "looks sensitive: the word 'gender'"):
        assert left_out in " ".join(told.split())
    assert '"prediction":"yes"' in done.stdout
