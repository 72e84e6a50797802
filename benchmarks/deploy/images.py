"""How large the image is, and how long it takes from `docker run` to ready; the peers' packages put into the same base."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from configs.settings import PROJECT

BASE = "python:3.11-slim"
RUNS = 9


def images(platform: str) -> list[list[str]]:
    """Print both; only where an engine builds images."""
    if platform == "local":
        return []
    from configs.load import load_use_case
    from tasks.containers.engine import engine
    from tasks.containers.images import wanted_image
    from tasks.registry.versions import the_champion

    client, _ = engine()
    base = client.images.get(BASE).attrs["Size"]
    version = the_champion("loans")
    reference = wanted_image(load_use_case("loans"), version).reference
    table = Table(title=f"over the base image of {base / 1e6:.0f} MB", title_justify="left")
    for column in ("what", "MB", "of it the last layer, kB"):
        table.add_column(column)
    last = client.api.history(reference)
    bundle = next(layer["Size"] for layer in last if layer["CreatedBy"].startswith("/bin/sh -c #(nop) COPY"))
    table.add_row("Slipway", f"{(client.images.get(reference).attrs['Size'] - base) / 1e6:.0f}", f"{bundle / 1e3:.0f}")
    for peer in ("bentoml", "mlserver", "mlflow"):
        packages = PROJECT / ".bench" / peer / "lib" / "python3.11" / "site-packages"
        if packages.exists():
            table.add_row(f"{peer}, its packages", f"{(_with(client, packages) - base) / 1e6:.0f}", "")
    Console().print(table)
    seconds = [_ready(reference) for _ in range(RUNS)]
    print(f"docker run to ready: {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f}")
    return []


def _with(client: object, packages: Path) -> int:
    """The size of the base with these packages."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(f"FROM {BASE}\nCOPY . /packages\n")
        subprocess.run(["cp", "-r", str(packages), folder], check=True)
        image, _ = client.images.build(path=folder, rm=True, forcerm=True)  # type: ignore[attr-defined]
        size = int(image.attrs["Size"])
        client.images.remove(image.id)  # type: ignore[attr-defined]
    return size


def _ready(reference: str) -> float:
    """Seconds from the command to the first 200 of /readyz."""
    from tasks.deploying.platforms.ports import free_port

    port, began = free_port(), time.monotonic()
    command = ["docker", "run", "--rm", "-d", "--read-only", "--tmpfs", "/tmp", "--tmpfs", "/log:uid=10001"]
    command += ["-e", "SLIPWAY_AUTH=off", "-p", f"127.0.0.1:{port}:8080", reference]
    container = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    try:
        while time.monotonic() - began < 30:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=1).status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                time.sleep(0.005)
        raise AssertionError("not ready within 30 s")
    finally:
        subprocess.run(["docker", "kill", container], capture_output=True, check=True)
