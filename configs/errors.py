"""The two exceptions that are answers and no defects: what you gave me is wrong, and a check said no."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input, told in one line: what is wrong, where, and what would be right.

    The command line prints it without a traceback and exits with status 2. Anything else that is raised keeps its
    traceback, because it is a defect.
    """


class CheckFailed(RuntimeError):
    """A gate, a test or a comparison said no, and nothing was changed. Exit status 1, no traceback."""


def nearest(word: str, among: Iterable[str]) -> str:
    """A hint that names the closest known word, or all of them when none is close.

    >>> nearest("featurs", ["features", "target"])
    "did you mean 'features'?"
    >>> nearest("zzz", ["features", "target"])
    'known: features, target'
    """
    known = sorted(set(among))
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known)}" if known else "none is known"
