"""A window of ten million rows in the prediction log: seconds and memory from the start of a process to the decision."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tasks.log.files import PARQUET
from tasks.log.read import BUCKET

COLUMNS = 25
DAYS, ROWS_A_DAY = 10, 1_000_000
USE_CASE = """
name: wide
description: Twenty-five columns.
source: {{tables: {{rows: nowhere.parquet}}, time_column: at}}
target: {{column: y, positive: 1}}
features: {{categorical: [c0, c1, c2, c3, c4], numeric: [{numeric}]}}
split: {{holdout: 10 days}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.5}}]}}
monitoring: {{window: 10 days}}
"""
PROGRAM = """
import sys, time
began = time.monotonic()
from configs.load import parse_use_case
from serving.contract.contract import Column, Contract
from tasks.columns.choose import kinds_of
from tasks.monitoring.drift.columns import compare
from tasks.log.values import Bounds
from tasks.data.frames import logged_features
from tasks.log.windows import decoded, read_window
import pandas as pd
case = parse_use_case(open(f"{sys.argv[1]}/wide.yaml").read(), "wide.yaml")
names = case.features
columns = [Column(n, "categorical" if n in names.categorical else "numeric", nullable=True) for n in names.all]
bounds = Bounds(name="w", start=sys.argv[2], end=sys.argv[3])
rows = read_window(case, bounds)
table = decoded(rows.table, Contract("wide", tuple(columns), "y", (0, 1)))
read = time.monotonic() - began
reference = pd.read_parquet(f"{sys.argv[1]}/reference.parquet")
times = reference["at"].to_numpy()
current = logged_features(table.to_pandas(), names.all)
found, _ = compare(case.monitoring, current, reference[names.all], times, kinds_of(names), 0.5)
labelled = table.num_rows - table["target"].null_count
decided = time.monotonic() - began
# Not `getrusage`: its peak is inherited from the process that wrote the log.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
print([read, decided, peak, rows.table.num_rows, labelled, max(c.score for c in found.values())])
"""


def scale(screen: Console) -> None:
    """Three processes, the median: the newest ten days of a compacted log, whose earlier days are as many or none."""
    table = Table(
        title=f"A window of {DAYS * ROWS_A_DAY:,} rows x {COLUMNS} columns of the prediction log", title_justify="left"
    )
    for column in ("rows in the log", "GB", "read, s", "to the decision, s", "MiB", "rows looked at", "with a label"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "wide.yaml").write_text(USE_CASE.format(numeric=", ".join(f"x{number}" for number in range(COLUMNS - 5))))
        _reference(home)
        parts = home / "use_cases" / "wide"
        for days in (range(DAYS, 2 * DAYS), range(DAYS)):
            for day in track(days, "writing the log", console=screen):
                _day(home, day)
            read, decided, memory, rows, labelled = _median(home)
            size = sum(path.stat().st_size for path in parts.rglob("*.parquet")) / 1e9
            log_rows = ROWS_A_DAY * (DAYS if days.start else 2 * DAYS)
            table.add_row(
                f"{log_rows:,}",
                f"{size:.1f}",
                f"{read:.1f}",
                f"{decided:.1f}",
                f"{memory:,.0f}",
                f"{rows:,.0f}",
                f"{labelled:,.0f}",
            )
    screen.print(table)


def _median(home: Path) -> list[float]:
    runs = []
    for _ in range(3):
        words = [str(home), _date(DAYS), _date(2 * DAYS)]
        environment = {"SLIPWAY_HOME": str(home), "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        runs.append(json.loads(done.stdout.splitlines()[-1])[:5])
    return [float(value) for value in np.median(np.array(runs), axis=0)]


def _date(day: int) -> str:
    return str(np.datetime64("2026-01-01") + np.timedelta64(day, "D")) + "T00:00:00"


def _features() -> str:
    numbers = ", ".join(f"'x{n}', round(random() * {n + 1}, 4)" for n in range(COLUMNS - 5))
    categories = ", ".join(f"'c{n}', chr(97 + (random() * 8)::int)" for n in range(5))
    return f"json_object({numbers}, {categories})"


def _reference(home: Path) -> None:
    import pandas as pd

    generator, rows = np.random.default_rng(0), 50_000
    numbers = {f"x{n}": generator.random(rows) * (n + 1) for n in range(COLUMNS - 5)}
    categories = {f"c{n}": generator.choice(list("abcdefghi"), rows) for n in range(5)}
    at = np.datetime64("2025-11-01", "ns") + np.sort(generator.integers(0, 56 * 86400, rows)) * np.timedelta64(1, "s")
    pd.DataFrame({"at": at, **numbers, **categories}).to_parquet(home / "reference.parquet")


def _day(home: Path, day: int) -> None:
    """A part as compaction writes it, of predictions and of labels for half of them."""
    folder = home / "use_cases" / "wide" / "predictions" / "compacted" / f"day={_date(day)[:10]}"
    folder.mkdir(parents=True)
    start = f"timestamp '{_date(day)}'"
    moment = f"{start} + to_microseconds((random() * 86399e6)::bigint)"
    nothing = "null::varchar as prediction, null::varchar as label"
    with duckdb.connect() as connection:
        connection.execute("set threads = 2; set preserve_insertion_order = false")
        connection.execute(f"""
            create table records as
            select 'prediction' as kind, uuid()::varchar as prediction_id, {moment} as time, '1' as model_version,
                   'wide-v1' as release, 'champion' as variant, 'shop' as caller, {_features()} as features,
                   [1 - p, p] as output, 900::bigint as latency_us, md5(i::varchar) as request_digest, {nothing}
            from (select i, random() as p from range({ROWS_A_DAY}) t(i))""")
        labels = """
            select 'feedback' as kind, prediction_id, time + interval '1 minute' as time, '1' as label
            from records where hash(prediction_id) % 2 = 0"""
        everything = f"""
            select *, time as event_time from (from records union all by name select * from ({labels}))"""
        query = f"select *, {BUCKET} as bucket from ({everything}) order by bucket, time"
        connection.execute(f"copy ({query}) to '{folder}/predictions-{day}.parquet' {PARQUET}")
