"""Choose versions: two or three of one use case, as a person asks for them."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task

from tasks.comparing.asked import require_versions
from tasks.comparing.side import sides_of
from tasks.registry.values import Version
from tasks.registry.versions import get_version


@task
def choose_versions(use_case: str, numbers: Sequence[str]) -> list[Version]:
    """The versions in the order asked for; nothing is read of one whose bundle is not whole.

    Raises:
        InputError: there are fewer than two, one is none of the use case, or its bundle is gone.
    """
    require_versions(use_case, numbers)
    found = [get_version(use_case, number) for number in numbers]
    sides_of(found)
    return found
