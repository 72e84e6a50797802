"""What a release answers over HTTP, as the outputs that its model gave."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np

from serving.contract.heads.head import Head
from tasks.gates.checks import expect


def outputs(http: httpx.Client, head: Head, records: list[dict[str, Any]]) -> np.ndarray:
    """Outputs of shape (rows, k), read out of native answers.

    Raises:
        AssertionError: the status is not 200; a check that failed.
    """
    answer = http.post("/predict", json={"records": records, **head.everything})
    expect(answer.status_code == 200, f"status {answer.status_code}: {answer.text[:200]}")
    return np.array([head.read_native(row) for row in answer.json()["predictions"]])
