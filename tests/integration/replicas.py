"""Killing a server of a release, and waiting until it is back."""

import contextlib
import json
import re

import httpx
import psutil

from tests.integration.server import wait_for


def kill(release, number):
    """SIGKILL to all processes of a replica."""
    if release.platform == "docker":
        from tasks.containers.engine import engine

        pid = engine()[0].containers.get(release.replicas[number].handle).attrs["State"]["Pid"]
    else:
        from configs.settings import use_case_home

        status = use_case_home(release.use_case) / "releases" / release.name / "status.json"
        pid = json.loads(status.read_text())[number]["process"][0]
    root = psutil.Process(int(pid))
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def comes_back(address):
    def ready():
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{address}/readyz", timeout=2).status_code == 200

    wait_for(ready, address, 30)


def gets_requests(address):
    """The gateway, which shut it out for a second, counts on it again."""

    def rows():
        (found,) = re.findall(r"^slipway_rows_total (\S+)", httpx.get(f"{address}/metrics", timeout=5).text, re.MULTILINE)
        return float(found)

    before = rows()
    wait_for(lambda: rows() > before, f"a request at {address}", 30)
