"""Answers as the target has them: what the log and the command line have as text is a class of its type, or a number."""

from __future__ import annotations

from functools import cache
from typing import Any

from configs.errors import CheckFailed, InputError
from configs.settings import store
from serving.contract.contract import Contract, read_contract
from serving.contract.heads.choose import head_of
from tasks.review.values import Answer
from tasks.rollouts.known import bundle_of


class Targets:
    """The contracts of a use case's versions; each is read once."""

    def __init__(self, use_case: str) -> None:
        self._use_case = use_case
        self.contract = cache(self._contract)

    def answer(self, version: str, answer: Any) -> Answer:
        """The answer as the target of that version has it.

        Raises:
            InputError: the target cannot have it.
            CheckFailed: the home does not know the version.
        """
        try:
            label: Answer = head_of(self.contract(version)).label_of(answer)
        except ValueError as error:
            raise InputError(f"{str(answer)[:40]!r} is no answer of {self._use_case}: {error}") from None
        return label

    def logged(self, version: str, text: str | None) -> Answer | None:
        """What the log has of an answer; where the home has no contract of the version any more, the text itself."""
        if text is None:
            return None
        try:
            return self.answer(version, text)
        except CheckFailed:
            return text

    def _contract(self, version: str) -> Contract:
        digest = bundle_of(self._use_case, version)
        path = store("bundles") / digest / "contract.json"
        if not digest or not path.exists():
            raise CheckFailed(
                f"{self._use_case}: this home has no bundle of version {version}, so it is not known what can be answered; "
                f"'slipway deploy {self._use_case} --version {version}' brings it"
            )
        return read_contract(path)
