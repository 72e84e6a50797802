"""What a use case leaves open, inferred from its table by what `slipway init` does, and frozen in the home of the use case.

It is frozen by the first release, once the table was looked at, whatever its gates say then (decision 0029).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from configs.errors import InputError
from configs.files import locked, write_atomically
from configs.forms import Strict
from configs.inferred import Inferred, Keys, NotInferred, inferred_file, lists_columns, parse_inferred, read_inferred
from configs.load import declared_keys, load_use_case, use_case_file
from configs.schema import Features, Source, Split, Target, UseCase
from configs.settings import made
from tasks.onboarding.propose import Declared, propose
from tasks.onboarding.written import as_yaml, scalar

M = TypeVar("M", bound=Strict)


def whole(name: str, say: Callable[[str], None], doing: Callable[[str], None] = lambda _: None) -> UseCase:
    """The use case with all of its keys: what it leaves open is inferred and frozen, where that was not done before.

    `say` is told what was inferred, by whatever release, and where it stands.

    Raises:
        InputError: something is wrong with what is declared, or no use case can be made of the table.
    """
    try:
        case = load_use_case(name)
    except NotInferred:
        freeze(name, doing)
        case = load_use_case(name)
    if inferred := read_inferred(name):
        say(summary(case, inferred))
    return case


def freeze(name: str, doing: Callable[[str], None]) -> None:
    """Look at the table, and keep what it suggests; of two who come at once the second finds it."""
    path = inferred_file(name)
    made(path.parent)
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            text = look(name, doing)
            load_use_case(name, parse_inferred(text, path))  # what does not load is never kept
            write_atomically(path, text.encode())


def look(name: str, doing: Callable[[str], None]) -> str:
    """What the table suggests for what the use case leaves open, as the text that is frozen; keeps nothing.

    Raises:
        InputError: no use case can be made of the table as it is declared.
    """
    keys = declared_keys(name)
    source, target = _of(Source, keys, "source"), _of(Target, keys, "target")
    if target.words.queries:
        raise InputError(
            f"{use_case_file(name)}: of a {target.problem} nothing is inferred: list its columns under 'features' and its "
            "bounds under 'evaluation.gates'; docs/ranking.md shows a whole file"
        )
    features = _of(Features, keys, "features") if lists_columns(keys.get("features", {})) else None
    (url,) = source.tables.values()
    declared = Declared(
        source=source,
        target=target if {"problem", "positive"} & set(keys["target"]) else None,
        features=features,
        holdout=_of(Split, keys, "split").holdout if "holdout" in keys.get("split", {}) else None,
    )
    proposal = propose(url, target.column, name, doing, declared)
    text = as_yaml(proposal, f"What {use_case_file(name).name} does not declare, inferred")
    columns = ", ".join(map(scalar, proposal.table.rows.columns))
    return f"{text}---\n# The columns of the table then: others that come are told, and left out.\ncolumns: [{columns}]\n"


def pasted(text: str) -> str:
    """The keys of the frozen text, as they can be pasted into the file of the use case."""
    return text.partition("\n---\n")[0]


def summary(case: UseCase, inferred: Inferred) -> str:
    """In a line what a use case is that was inferred, and where that stands."""
    kinds = [*case.features.kinds.values()]
    features = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    time = f"in the order of {case.source.time_column!r}" if case.source.time_column else "without a time"
    gates = ", ".join(f"{gate.metric} {_bound(gate.at_least, gate.at_most)}" for gate in case.evaluation.gates)
    return (
        f"Inferred where nothing is declared: problem {case.target.problem}, {features} features, {time}, gate {gates}; the "
        f"reasons stand in {inferred.path} ('slipway check {case.name}' prints them)"
    )


def _bound(at_least: float | None, at_most: float | None) -> str:
    return f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"


def _of(model: type[M], keys: Keys, key: str) -> M:
    """A part of the use case, which was looked at for faults before."""
    try:
        return model.model_validate(keys[key])
    except ValidationError as error:
        raise InputError(f"{key}: {error.errors()[0]['msg']}") from None
