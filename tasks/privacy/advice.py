"""What a use case says of a column that holds something personal, and what would be right."""

from __future__ import annotations

from configs.schema import ColumnRule, UseCase
from tasks.privacy.values import Grade

LEAVE_OUT = "leave it out in 'source.query': every snapshot keeps it"


def stands(case: UseCase, column: str) -> str:
    """Where the use case has the column, and what the log keeps of it."""
    said = []
    if column in case.features.all:
        kept = f"sensitive, the log: {case.log.sensitive}" if _sensitive(case, column) else "the log keeps it"
        said.append(f"feature ({case.features.kinds[column]}; {kept})")
    if column in case.features.identifiers:
        said.append("identifier: logged, never shown to the model")
    if case.fairness and column in case.fairness.protected:
        said.append("protected")
    if column == case.target.column:
        said.append("the target")
    return ", ".join(said) or "no key names it: in every snapshot, never in the log"


def right(case: UseCase, column: str, grade: Grade) -> str:
    """What would be right; empty where it is."""
    feature, identifier = column in case.features.all, column in case.features.identifiers
    if column == case.target.column:
        return "it is what is predicted: ask whoever answers for the data whether it may be"
    if grade == "attribute":
        return _of_attribute(case, column, feature)
    if feature and case.features.kinds[column] == "text":
        return _hidden(case, column) or "take it out of the texts in 'source.query', where nobody needs it"
    if feature:
        return "take it out of 'features'; to find and erase one person's records list it under 'features.identifiers'"
    return "" if identifier else LEAVE_OUT


def _of_attribute(case: UseCase, column: str, feature: bool) -> str:
    protected = case.fairness is not None and column in case.fairness.protected
    if feature and not protected:
        return "list it under 'fairness.protected', or take it out of 'features'"
    if feature:
        return _hidden(case, column)
    return "" if protected else f"list it under 'fairness.protected', or {LEAVE_OUT}"


def _hidden(case: UseCase, column: str) -> str:
    """What keeps a feature's values out of the log."""
    if not _sensitive(case, column):
        return f"write 'features.rules: {{{column}: {{sensitive: true}}}}', so that the log has no values of it"
    return "write 'log: {sensitive: hash}', or omit" if case.log.sensitive == "keep" else ""


def _sensitive(case: UseCase, column: str) -> bool:
    return case.features.rules.get(column, ColumnRule()).sensitive
