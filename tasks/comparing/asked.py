"""What a person asks to have compared, checked before anything is started."""

from __future__ import annotations

from collections.abc import Sequence

from configs.errors import InputError

MOST = 3


def require_versions(use_case: str, numbers: Sequence[str]) -> None:
    """Two or three different numbers.

    Raises:
        InputError: saying what would be right.

    >>> require_versions("flights", ["3", "4"])
    """
    example = f"write for example 'slipway compare {use_case} 1 2'"
    for number in numbers:
        if not (number.isascii() and number.isdigit()):
            raise InputError(
                f"{number!r} is no version number; versions are compared within one use case, by their numbers: {example}"
            )
    if len(numbers) < 2:
        raise InputError(f"one version alone compares with nothing; {example}")
    if len(numbers) > MOST:
        raise InputError(f"{len(numbers)} versions are too many for one page; at most {MOST}: {example}")
    if twice := [number for place, number in enumerate(numbers) if int(number) in map(int, numbers[:place])]:
        raise InputError(f"version {twice[0]} is named twice, and equals itself; {example}")
