"""Reliability: how often rows with a probability turned out so, before and after calibration, on the holdout."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from prefect.artifacts import create_markdown_artifact

from configs.settings import report_address, reports
from tasks.training.values import Bin, Calibration, Reliability

BINS = 10
BEFORE, AFTER, EVEN = "#888888", "#2c6fbb", "#c0392b"


def reliability(target: np.ndarray, judged: np.ndarray) -> Reliability:
    """Brier score and expected calibration error, in ten bins of equal width (Guo et al., "On Calibration", 2017).

    Of two classes the probability of the positive one is held against its rows; of several the probability of the answer
    against how often it was right. The Brier score of several classes is the sum over them (Brier, 1950).

    Args:
        target: The number of each row's class, shape (rows,).
        judged: Probabilities of shape (rows,) or (rows, k).

    >>> reliability(np.array([1, 1, 0, 1]), np.array([0.75, 0.75, 0.75, 0.75])).error
    0.0
    """
    if judged.ndim == 1:
        chance, happened, brier = judged, target == 1, (judged - target) ** 2
    else:
        chance, happened = judged.max(axis=1), judged.argmax(axis=1) == target
        brier = ((judged - np.eye(judged.shape[1])[target]) ** 2).sum(axis=1)
    place = np.minimum((chance * BINS).astype(int), BINS - 1)
    bins = [
        Bin(rows=int(inside.sum()), said=float(chance[inside].mean()), happened=float(happened[inside].mean()))
        for inside in (place == number for number in range(BINS))
        if inside.any()
    ]
    error = sum(each.rows * abs(each.said - each.happened) for each in bins) / len(target)
    return Reliability(brier=float(brier.mean()), error=float(error), bins=bins)


def table(found: Calibration) -> str:
    """The numbers, for the model card and the artifact of the run."""
    rows = "\n".join(f"| {each.said:.3f} | {each.happened:.3f} | {each.rows:,} |" for each in found.after.bins)
    return f"""| | before | after |
|---|---|---|
| Brier score | {found.before.brier:.4f} | {found.after.brier:.4f} |
| expected calibration error | {found.before.error:.4f} | {found.after.error:.4f} |

| probability said | share that turned out so | rows |
|---|---|---|
{rows}
"""


def show(use_case: str, method: str, digest: str, found: Calibration) -> None:
    """Keep the reliability plot among the reports, and link it from the run, with the numbers."""
    path = reports(use_case, "training") / f"reliability-{digest[:12]}.png"
    path.write_bytes(draw(use_case, method, found))
    create_markdown_artifact(
        key=f"reliability-{use_case}",
        markdown=f"![reliability]({report_address(path)})\n\n{table(found)}",
        description=f"Probabilities of a candidate for {use_case}, calibrated ({method}), on held out rows",
    )


def draw(use_case: str, method: str, found: Calibration) -> bytes:
    """A PNG: what was said against what happened, and how many rows each bin has."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=EVEN, linestyle="--", label="as often as said")
    for name, one, colour in (("before", found.before, BEFORE), (method, found.after, AFTER)):
        _curve(above, below, f"{name}: Brier {one.brier:.4f}, ECE {one.error:.4f}", one, colour)
    above.set_ylabel("share that turned out so")
    below.set_ylabel("rows")
    below.set_xlabel("probability said")
    above.legend(loc="upper left")
    figure.suptitle(f"{use_case}: reliability on held out rows")
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110)
    return sink.getvalue()


def _curve(above: Any, below: Any, name: str, found: Reliability, colour: str) -> None:
    said = [each.said for each in found.bins]
    above.plot(said, [each.happened for each in found.bins], color=colour, marker="o", label=name)
    below.plot(said, [each.rows for each in found.bins], color=colour, marker=".")
