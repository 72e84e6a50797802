"""Quarantine: a version that was found to be worse, or that a person distrusts, is no challenger until a person says so.

It is told by the history alone: the last such entry of a version counts.
"""

from __future__ import annotations

from configs.errors import InputError
from tasks.history import read_history, record

WHAT = "quarantine"


def quarantined(use_case: str, version: str) -> str:
    """Who put the version into quarantine, when, and why; "" where it is in none.

    >>> quarantined("nothing-of-the-kind", "1")
    ''
    """
    last = next((each for each in reversed(read_history(use_case, WHAT)) if each["version"] == version), None)
    return f"since {last['time'][:16]}, by {last['by']}: {last['reason']}" if last and last["move"] == "in" else ""


def put_in(use_case: str, version: str, reason: str, by: str) -> None:
    """From now on the version is in quarantine; again changes nothing."""
    if not quarantined(use_case, version):
        record(use_case, WHAT, reason, version=version, move="in", by=by)


def let_out(use_case: str, version: str, reason: str, by: str) -> None:
    """A person trusts the version again.

    Raises:
        InputError: it is in no quarantine.
    """
    if not quarantined(use_case, version):
        raise InputError(f"version {version} of {use_case!r} is in no quarantine, so there is nothing to lift")
    record(use_case, WHAT, reason, version=version, move="out", by=by)


def refuse_quarantined(use_case: str, version: str) -> None:
    """Raise where the version is in quarantine.

    Raises:
        InputError: saying who put it there, and how it gets out.
    """
    if why := quarantined(use_case, version):
        raise InputError(
            f"version {version} of {use_case!r} is in quarantine ({why}); "
            f"'slipway quarantine {use_case} --version {version} --lift --reason ...' trusts it again"
        )
