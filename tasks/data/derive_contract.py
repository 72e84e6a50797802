"""The contract of a snapshot: declared rules from the use case, observed ranges and categories from the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from configs.errors import InputError
from configs.kinds import ColumnKind
from configs.schema import ColumnRule, UseCase
from serving.contract.contract import Column, Contract, ContractError, contract_json, derived
from tasks.columns.choose import KINDS
from tasks.data.frames import encode_column, plain, read_rows
from tasks.data.protected import check_protected
from tasks.data.unfavourable import unfavourable_classes
from tasks.data.values import Snapshot
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.store import put

PART_ROWS = 10_000


@step
def derive_contract(use_case: UseCase, snapshot: Snapshot) -> str:
    """Derive the contract and keep it in the store; returns its digest.

    Raises:
        InputError: the target cannot be learned, a numeric feature is not numeric, or `fairness` or `reasons` do not fit
            the rows.
    """
    frame = read_rows(snapshot, 0, snapshot.rows)
    contract = contract_of_rows(use_case, frame)
    check_protected(use_case, frame, contract.classes)
    unfavourable_classes(use_case, contract.classes)
    return put("contracts", ".json", contract_json(contract))


def contract_of_rows(use_case: UseCase, frame: Any) -> Contract:
    """The contract of rows, a pandas frame as snapshots have it; raises as `derive_contract` does."""
    target = use_case.target
    classes = problem_of(target).classes(target, frame)
    rules, missing = use_case.features.rules, tuple(use_case.source.missing)
    columns = tuple(
        _column(name, kind, rules.get(name, ColumnRule()), frame[name], name in use_case.watched, missing)
        for name, kind in use_case.features.kinds.items()
    )
    time, identifiers = use_case.source.time_column, tuple(use_case.features.identifiers)
    interval = UNSET if target.interval is None else target.interval
    confidence = UNSET if target.confidence is None else target.confidence
    return Contract(
        use_case.name,
        columns,
        target.column,
        classes,
        time,
        identifiers,
        problem=target.problem,
        interval=interval,
        confidence=confidence,
        query=UNSET if target.query is None else target.query,
    )


def _values(series: Any) -> Iterator[Any]:
    """The plain values, so many as are asked for: the first mostly says that they are no booleans."""
    for start in range(0, len(series), PART_ROWS):
        yield from plain(series.iloc[start : start + PART_ROWS])


def _column(name: str, kind: ColumnKind, rule: ColumnRule, series: Any, shown: bool, tokens: tuple[str, ...]) -> Column:
    """A column; what was observed of one that the log must not keep is not in the contract, which travels, either."""
    its = KINDS[kind]
    boolean = its.boolean(_values(series))
    try:
        encoded = encode_column(Column(name, kind, nullable=True, boolean=boolean), series).ravel()
    except ContractError as error:
        raise InputError(f"features.{kind}: column {name!r}, row {error.row}: {error.problem}") from None
    missing = its.missing(encoded)
    nullable = bool(missing.any()) if rule.nullable is None else rule.nullable
    observed = its.observed(encoded[~missing]) if shown else {}
    return Column(
        name,
        kind,
        nullable=nullable,
        sensitive=rule.sensitive,
        minimum=rule.minimum,
        maximum=rule.maximum,
        allowed=tuple(rule.allowed) if rule.allowed else None,
        boolean=boolean,
        missing=tokens,
        derived=derived(name, kind),
        **observed,
    )
