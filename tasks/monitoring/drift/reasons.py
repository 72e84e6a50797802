"""What of a version's reasons a log can tell: all of them, or those of the columns whose values it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.reasons.reasons import Additive, Reasons, read
from serving.scoring.bundle import read_bundle
from tasks.data.frames import encode_column
from tasks.explaining.attributions import attributions, without
from tasks.monitoring.values import ReasonDrift
from tasks.packaging.values import BundleRef

TINY = 1e-12  # moves no answer


def knowable(use_case: UseCase, bundle: BundleRef) -> tuple[Additive, Contract, list[str]] | None:
    """The model without the columns that the log does not keep, the contract, and their names; None without reasons."""
    served = read_bundle(bundle.path)
    if not served.reasons:
        return None
    unknown = [name for name in served.contract.names if name not in use_case.watched]
    return without(read(served.reasons), served.contract, unknown), served.contract, unknown


def attributed(additive: Additive, contract: Contract, frame: Any) -> Any:
    """The attributions of a pandas frame's rows, as a frame; its columns are named as they are by clients."""
    import pandas as pd

    reasons, columns = Reasons(additive, contract), {column.name: column for column in contract.columns}
    arrays = {name: encode_column(columns[name], frame[name], contract.meaning) for name in reasons.columns}
    found = attributions(reasons, {name: np.reshape(array, (-1, 1)) for name, array in arrays.items()})
    return pd.DataFrame(found, columns=list(reasons.columns), index=frame.index)


def reason_drifts(scores: Mapping[str, float], now: Any, before: Any) -> dict[str, ReasonDrift]:
    """Of each column how far what it adds went, by the frames of attributions of a window and of the reference."""
    sizes, whole = (now.abs().mean(), before.abs().mean()), max(float(before.abs().mean().sum()), TINY)
    shifts = np.maximum((sizes[0] - sizes[1]).abs(), (now.mean() - before.mean()).abs()) / whole
    return {
        name: ReasonDrift(score=score, now=float(sizes[0][name]), before=float(sizes[1][name]), shift=float(shifts[name]))
        for name, score in scores.items()
    }
