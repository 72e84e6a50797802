"""A side of a comparison: a version, its bundle, and the use case that it was made with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import ValidationError

from configs.errors import InputError
from configs.renamed import in_todays_words
from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.scoring.bundle import Bundle, BundleError, read_bundle
from tasks.problems.problem import Problem, problem_of
from tasks.registry.values import Version


class Side(NamedTuple):
    """What is compared, as it was recorded."""

    version: Version
    bundle: Bundle
    case: UseCase

    @property
    def number(self) -> str:
        """The version's."""
        return self.version.version

    @property
    def contract(self) -> Contract:
        """The bundle's."""
        return self.bundle.contract

    @property
    def problem(self) -> Problem:
        """By which the version answers."""
        return problem_of(self.contract)


def newest_first(sides: Iterable[Side]) -> list[Side]:
    """By number: the first one's use case says how all are compared."""
    return sorted(sides, key=lambda side: int(side.number), reverse=True)


def sides_of(versions: Iterable[Version]) -> list[Side]:
    """Each version with what the home has of it.

    Raises:
        InputError: a bundle is gone or damaged, or its use case cannot be read any more.
    """
    return [_side(version) for version in versions]


def _side(version: Version) -> Side:
    named = f"version {version.version} of {version.use_case}"
    if not version.bundle.path.is_dir():
        raise InputError(
            f"{named}: its bundle is gone from this home ({version.bundle.path} is missing); bring it back from where the "
            f"version was made, or from the artifacts of its run in MLflow ({version.run_id}, folder 'bundle')"
        )
    try:
        bundle = read_bundle(version.bundle.path)
        case = UseCase.model_validate(in_todays_words(bundle.manifest.lineage["configuration"]))
    except BundleError as error:
        raise InputError(f"{named}: {error}; a damaged bundle is not compared") from None
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise InputError(f"{named}: what it was made with cannot be read any more ({where}: {wrong['msg']})") from None
    return Side(version, bundle, case)
