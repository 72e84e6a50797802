"""What a traffic plan declares beside what a real server does: shares, and whether a key ever leaves the challenger.

Every request of one row goes to one champion's server with two workers. Its shares are held against the exact binomial
(Clopper and Pearson, 1934), then a request a key is sent in two lives of the server and under growing shares.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from benchmarks.rollouts.carrier import follow
from benchmarks.serving.model import build
from benchmarks.serving.servers import Server
from configs.settings import prediction_log
from tasks.log.read import open_log

LEVEL = 0.99
CONNECTIONS = 16
KEYS_IN = 10  # of the requests one in so many has a key of its own
ARMS = {"challenger": 0.05, "second": 0.3, "baseline": 0.1}


def shares(screen: Console, requests: int = 100_000) -> None:
    """Print the shares of the requests, and then how many keys moved."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = build(work / "home")
        plan = work / "plan.json"
        champion = _server("champion", model.bundle, work, {"SLIPWAY_TRAFFIC": str(plan)}, "1")
        challenger = _server("challenger", model.bundle, work, {"SLIPWAY_TRAFFIC": ""}, "2")
        keys, row = range(requests // KEYS_IN), model.rows[0]
        try:
            for server in (champion, challenger):
                server.start(work / f"{server.name}.out")

            def met(name: str, asked: Sequence[int], arms: dict[str, float], key: str | None) -> dict[str, str]:
                address = f"http://127.0.0.1:{challenger.port}"
                follow(champion, plan, _plan(name, arms, key, address))
                asyncio.run(_send(champion.port, [{**row, "customer": each} for each in asked]))
                return _assigned(name)

            _show_shares(screen, Counter(met("rows", range(requests), ARMS, None).values()), requests)
            table = Table(title=f"{len(keys):,} keys, one request each", title_justify="left")
            for column in ("then", "with the challenger", "left it", "came to it", "other moves"):
                table.add_column(column, justify="left" if column == "then" else "right")
            first = before = met("10 %", keys, {"challenger": 0.1}, "customer")
            table.add_row("10 %", *_told(before, before))
            for life in (1, 2):
                champion.stop()
                champion.start(work / "champion.out")
                now = met(f"10 %, restart {life}", keys, {"challenger": 0.1}, "customer")
                table.add_row(f"10 %, restart {life}", *_told(before, now))
                before = now
            for share in (0.3, 0.5, 1.0):
                now = met(f"{share:.0%}", keys, {"challenger": share}, "customer")
                table.add_row(f"{share:.0%}", *_told(before, now))
                before = now
            back = met("10 % again", keys, {"challenger": 0.1}, "customer")
            table.add_row("10 % again", *_told(before, back))
            screen.print(table)
            screen.print(f"The same keys as at first: {'yes' if back == first else 'no'}")
        finally:
            for server in (champion, challenger):
                server.stop()


def _server(name: str, bundle: Path, work: Path, environment: dict[str, str], version: str) -> Server:
    log = prediction_log("flights") if name == "champion" else work / name
    options = ["--log", str(log), "--bundle", str(bundle), "--version", version, "--release", name, "--workers", "2"]
    secret = {"SLIPWAY_LOG_PEPPER": "the benchmark's own"}

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "serving", "--port", str(port), *options]

    return Server(name, command, "/predict", "/readyz", str, list, environment={**secret, **environment})


def _plan(name: str, arms: dict[str, float], key: str | None, address: str) -> dict[str, Any]:
    there = [
        {"name": arm, "version": "2", "release": "challenger", "addresses": [address], "share": share}
        for arm, share in arms.items()
    ]
    return {"id": name, "salt": "benchmark", "key": key, "arms": there, "late_ms": 10_000}


async def _send(port: int, rows: list[dict[str, Any]]) -> None:
    """A request for each row, over some connections at a time; every one must be answered with 200."""
    left = iter(rows)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for row in left:
            body = json.dumps({"records": [row]}).encode()
            head = (
                f"POST /predict HTTP/1.1\r\nhost: benchmark\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
            )
            writer.write(head.encode() + b"\r\n\r\n" + body)
            answered = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b" 200 " in answered.splitlines()[0], answered
            await reader.readexactly(int(answered.split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))


def _assigned(plan: str) -> dict[str, str]:
    """What each request was to meet under the plan, by its number, which is its key."""
    with open_log("flights") as log:
        found = log.sql(f"""
            select json_extract_string(features, '$.customer'), coalesce(nullif(assigned, ''), variant)
            from log where kind = 'prediction' and plan = '{plan}'""").fetchall()
    assigned = dict(found)
    assert len(assigned) == len(found), "a request was logged twice"
    return assigned


def _show_shares(screen: Console, found: Counter[str], requests: int) -> None:
    table = Table(title=f"{requests:,} requests; exact bounds at {LEVEL:.0%}", title_justify="left")
    for column in ("variant", "declared", "requests", "realised", "lower", "upper", "p"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    assert sum(found.values()) == requests, f"{sum(found.values())} of {requests} were logged"
    for name, declared in {**ARMS, "champion": 1 - sum(ARMS.values())}.items():
        test = binomtest(found[name], requests, declared)
        bounds = test.proportion_ci(LEVEL, "exact")
        numbers = (found[name] / requests, bounds.low, bounds.high)
        told = [f"{each:.3%}" for each in numbers]
        table.add_row(name, f"{declared:.0%}", f"{found[name]:,}", *told, f"{test.pvalue:.2f}")
    screen.print(table)


def _told(before: dict[str, str], now: dict[str, str]) -> list[str]:
    assert before.keys() == now.keys()
    moves = Counter((before[key], now[key]) for key in before if before[key] != now[key])
    left = sum(count for (old, _), count in moves.items() if old == "challenger")
    came = sum(count for (_, new), count in moves.items() if new == "challenger")
    with_it = sum(variant == "challenger" for variant in now.values())
    return [f"{with_it:,} ({with_it / len(now):.2%})", f"{left:,}", f"{came:,}", f"{moves.total() - left - came:,}"]
