"""What a gate raises that says no to a candidate."""

from __future__ import annotations

from configs.errors import CheckFailed


class GateFailed(CheckFailed):
    """A gate did not hold; nothing is built from this candidate."""
