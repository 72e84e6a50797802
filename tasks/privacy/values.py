"""Values of privacy: what a table holds of persons, and how many rows share what somebody else could know of them."""

from __future__ import annotations

from typing import Literal

from tasks.store import Value

Grade = Literal["direct", "pseudonym", "attribute"]


class Found(Value):
    """Something personal in a column: in so many of its `rows` by their values, or, where `rows` is None, by its name.

    `example` is masked. `stands` is what the use case says of the column, `right` what would be, empty where it is.
    """

    column: str
    what: str
    grade: Grade
    rows: int | None
    share: float | None
    example: str
    stands: str
    right: str


class Scan(Value):
    """All that was found among so many rows and columns; `texts` are columns of prose, where names are not looked for."""

    rows: int
    columns: int
    found: list[Found]
    texts: list[str]


class Anonymity(Value):
    """Classes of rows that are alike in the `columns`; `unseen` says of others why they are not there.

    `below` rows lie in classes of fewer than `k`. `told` rows lie in larger ones in which all have one value of the target,
    so that whoever finds the class knows it (Machanavajjhala et al., "l-diversity", 2007); None where it is not there.
    """

    of: str
    columns: list[str]
    k: int
    rows: int
    classes: int
    smallest: int
    below: int
    told: int | None
    unseen: dict[str, str] = {}

    @property
    def below_share(self) -> float:
        """Of all rows."""
        return self.below / self.rows if self.rows else 0.0
