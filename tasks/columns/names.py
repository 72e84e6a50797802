"""Whether the categories of a column were renamed."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.columns.values import Sign

RENAMED_SHARE = 0.05
RARE = 0.01


def renamed(window: Any, reference: Any) -> Sign | None:
    """New categories that came as old ones went: by spelling, or every one of several with just the share of an old one.

    One category that takes the place of another may as well be news: a card in place of cash, August after July.
    """
    now, before = (values.astype("string").value_counts(normalize=True) for values in (window, reference))
    new = [value for value in now.index if value not in before.index and now[value] >= RARE]
    gone = [value for value in before.index if value not in now.index and before[value] >= RARE]
    if not new or not gone or now[new].sum() < RENAMED_SHARE:
        return None
    plain = {_plain(value): value for value in gone}
    pairs = [(plain[_plain(value)], value) for value in new if _plain(value) in plain]
    if not pairs and len(new) == len(gone) > 1:
        error = np.sqrt(1 / len(window) + 1 / len(reference))
        within = all(
            abs(before[old] - now[value]) <= 3 * error * np.sqrt(before[old] * (1 - before[old]))
            for old, value in zip(gone, new, strict=True)
        )
        pairs = list(zip(gone, new, strict=True)) if within else []
    moved = sum(float(now[value]) for _, value in pairs)
    if moved < max(RENAMED_SHARE, 0.5 * float(now[new].sum())):
        return None
    told = ", ".join(f"{old!r} is now {value!r}" for old, value in pairs[:3])
    return Sign("renamed", f"categories renamed: {told} ({moved:.0%} of the rows)")


def _plain(value: str) -> str:
    return "".join(letter for letter in value.casefold() if letter.isalnum())
