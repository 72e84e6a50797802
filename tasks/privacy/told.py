"""What was found, as rows of a table for people."""

from __future__ import annotations

from tasks.privacy.values import Anonymity, Found

PERSONAL = ["column", "what", "rows", "example, masked", "the use case says", "what would be right"]
ANONYMITY = ["of", "alike in", "rows", "classes", "smallest", "rows below k", "larger classes with one answer"]


def personal_row(found: Found) -> list[str]:
    """A column and what it holds."""
    rows = "by its name" if found.rows is None else f"{found.rows:,} ({found.share:.1%})"
    return [found.column, found.what, rows, found.example, found.stands, found.right or "as it is"]


def anonymity_row(found: Anonymity) -> list[str]:
    """Classes of a table."""
    unseen = "".join(f"; not {name}: {why}" for name, why in found.unseen.items())
    told = "not known" if found.told is None else f"{found.told:,} rows"
    below = f"{found.below:,} ({found.below_share:.1%}), k {found.k}"
    return [
        found.of,
        ", ".join(found.columns) + unseen,
        f"{found.rows:,}",
        f"{found.classes:,}",
        f"{found.smallest:,}",
        below,
        told,
    ]
