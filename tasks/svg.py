"""A plot as SVG that stands in a page: no script, no other file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
SVG: Any = {"svg.fonttype": "none", "svg.hashsalt": "slipway"}  # text stays text, and equal plots are equal


def svg(draw: Callable[..., None], size: tuple[float, float], *shown: Any) -> str:
    """What `draw(figure, *shown)` draws; the size in inches."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    sink = io.StringIO()
    with mpl.rc_context(SVG):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure, *shown)
        figure.savefig(sink, format="svg", metadata=NO_METADATA)
    return sink.getvalue()[sink.getvalue().index("<svg") :]
