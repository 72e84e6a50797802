"""What may stand under `privacy:` in a use case: by which columns somebody else could know a person again."""

from __future__ import annotations

from pydantic import Field, model_validator

from configs.forms import Strict


class Privacy(Strict):
    """Rows that are alike in all `quasi_identifiers` are one class, and no class should have fewer than `k` rows.

    Sweeney, "k-anonymity: a model for protecting privacy" (2002). Where none are listed they are the protected columns and
    those whose names tell of a person.
    """

    quasi_identifiers: list[str] = []
    k: int = Field(5, ge=2)

    @model_validator(mode="after")
    def _consistent(self) -> Privacy:
        names = self.quasi_identifiers
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"'quasi_identifiers': {twice[0]!r} is listed twice")
        return self
