"""wrk, the load generator: https://github.com/wg/wrk (Debian package `wrk`)."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """
wrk.method = "POST"
{headers}
local bodies, i = {{}}, 0
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
request = function() i = i % #bodies + 1; return wrk.format(nil, nil, nil, bodies[i]) end
"""
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Load:
    """What one run saw: answered requests a second, latency percentiles in milliseconds, and failures."""

    rate: float
    p50: float
    p99: float
    failed: int


def load(url: str, bodies: Sequence[str], headers: Mapping[str, str], connections: int, seconds: float, cpu: int) -> Load:
    """Send the bodies in turn, as fast as answers come, over that many connections."""
    with tempfile.TemporaryDirectory() as folder:
        texts, script = Path(folder) / "bodies", Path(folder) / "script.lua"
        texts.write_text("\n".join(bodies) + "\n")
        lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
        script.write_text(SCRIPT.format(headers=lines, bodies=texts))
        command = [
            "taskset",
            "-c",
            str(cpu),
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds:g}s",
            "--latency",
            "--timeout",
            "30s",
        ]
        output = subprocess.run([*command, "-s", str(script), url], capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    failed = (int(bad[1]) if bad else 0) + (sum(map(int, errors.groups())) if errors else 0)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert rate, output
    return Load(float(rate[1]), _percentile(output, "50%"), _percentile(output, "99%"), failed)


def _percentile(output: str, name: str) -> float:
    found = re.search(rf"{name}\s+([\d.]+)(us|ms|s)", output)
    assert found, output
    return float(found[1]) * UNITS[found[2]]
