"""What a use case does not declare: inferred from its table once, frozen in its home, and laid under what it declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from configs.errors import InputError
from configs.kinds import COLUMN_KINDS
from configs.schema import UseCase
from configs.settings import home

LISTS = (*COLUMN_KINDS, "identifiers")
ROWS = "rows"  # what the one table is called where `source` is only its path
Keys = dict[str, Any]


class NotInferred(InputError):
    """A use case that leaves to its table what nobody has looked at yet; nothing else is wrong with it."""


class Inferred(NamedTuple):
    """The keys of a use case as its table suggested them, the columns that the table had then, and the file of both."""

    keys: Keys
    columns: list[str]
    path: Path

    @property
    def again(self) -> str:
        """How the table is looked at again."""
        return f"remove {self.path} to have the table looked at again by the next release"


def inferred_file(name: str) -> Path:
    """Where it stands; the folder may not be there yet."""
    return home() / "use_cases" / name / "inferred.yaml"


def read_inferred(name: str) -> Inferred | None:
    """What was frozen for this use case, if anything was.

    Raises:
        InputError: the file is damaged.
    """
    path = inferred_file(name)
    return parse_inferred(path.read_text(encoding="utf-8"), path) if path.exists() else None


def parse_inferred(text: str, path: Path) -> Inferred:
    """Two documents of YAML: the keys of a use case, to be pasted, and the columns that the table had.

    Raises:
        InputError: it is something else.
    """
    try:
        keys, seen = YAML(typ="safe").load_all(text)
        _ = keys["target"]["column"]  # what was inferred is for one target
        return Inferred(dict(keys), list(seen["columns"]), path)
    except (MarkedYAMLError, ValueError, TypeError, KeyError):
        raise InputError(f"{path} is damaged; remove it to have the table looked at again by the next release") from None


def in_full(keys: Keys, folder: Path | None) -> Keys:
    """The keys with the short forms written out: `source: PATH` is one table, `target: COLUMN` the column.

    A relative path is one from the folder of the use case's file: whoever loads it, wherever, means the same table.

    >>> in_full({"source": "s3://bucket/rows.csv", "target": "y"}, None)
    {'source': {'tables': {'rows': 's3://bucket/rows.csv'}}, 'target': {'column': 'y'}}
    """
    source, target, model = keys.get("source"), keys.get("target"), keys.get("model")
    if folder is not None and isinstance(model, dict) and isinstance(onnx := model.get("onnx"), str):
        keys = {**keys, "model": {**model, "onnx": str((folder / Path(onnx).expanduser()).resolve())}}
    reasons = keys.get("reasons")
    if folder is not None and isinstance(reasons, dict) and isinstance(notice := reasons.get("notice"), str):
        keys = {**keys, "reasons": {**reasons, "notice": str((folder / Path(notice).expanduser()).resolve())}}
    papers = keys.get("papers")
    if folder is not None and isinstance(papers, dict) and isinstance(templates := papers.get("templates"), str):
        keys = {**keys, "papers": {**papers, "templates": str((folder / Path(templates).expanduser()).resolve())}}
    if isinstance(source, str):
        apart = folder is not None and "://" not in source and not source.startswith(("~", "$"))
        keys = {**keys, "source": {"tables": {ROWS: str((folder / source).resolve()) if folder and apart else source}}}
    return {**keys, "target": {"column": target}} if isinstance(target, str) else keys


def left_open(keys: Keys) -> tuple[str, ...]:
    """Which keys that every use case needs are left to the table; only one table, as it stands, can tell them."""
    features, source = keys.get("features", {}), keys.get("source")
    lacking = [] if not isinstance(features, dict) or lists_columns(features) else ["features"]
    lacking += [] if "evaluation" in keys else ["evaluation"]
    tables = source.get("tables") if isinstance(source, dict) else None
    told = isinstance(tables, dict) and len(tables) == 1 and not {"query", "database"} & set(source or {})
    return tuple(lacking) if told else ()


def lists_columns(features: Mapping[str, Any]) -> bool:
    """Whether the columns of the model are declared."""
    return any(kind in features for kind in COLUMN_KINDS)


def completed(declared: Keys, inferred: Inferred) -> Keys:
    """What is declared, and what was inferred for the rest.

    Raises:
        InputError: it was inferred for another target.
    """
    target, before = declared.get("target"), inferred.keys["target"]["column"]
    column = target.get("column", before) if isinstance(target, dict) else before
    if column != before:
        raise InputError(
            f"target: {column!r} is another column than {before!r}, for which the rest was inferred; {inferred.again}"
        )
    return laid_under(declared, inferred.keys)


def laid_under(declared: Keys, inferred: Keys) -> Keys:
    """Key by key what is declared wins. The lists of columns are one choice, and so is the model with its parameters.

    Whoever lists columns of one kind lists all. Who names identifiers takes them out of what is learned from.

    >>> laid_under({"features": {"rules": {}}, "split": {"refit": False}}, {"features": {"numeric": ["a"]}, "name": "n"})
    {'features': {'numeric': ['a'], 'rules': {}}, 'name': 'n', 'split': {'refit': False}}
    """
    found = dict(inferred)
    if isinstance(features := declared.get("features"), dict):
        found["features"] = _columns_under(features, found.get("features", {}))
    if isinstance(model := declared.get("model"), dict) and {"estimator", "pipeline", "onnx"} & set(model):
        found.pop("model", None)  # its parameters are those of another one
    if isinstance(source := declared.get("source"), dict) and {"tables", "database"} & set(source):
        found["source"] = {key: value for key, value in found.get("source", {}).items() if key != "tables"}
    for key, value in declared.items():
        under = found.get(key)
        found[key] = laid_under(value, under) if isinstance(value, dict) and isinstance(under, dict) else value
    return found


def _columns_under(declared: Keys, inferred: Keys) -> Keys:
    """What was inferred of columns, as far as the declared lists leave it room."""
    if not lists_columns(declared):
        named = declared.get("identifiers") or []
        without = {key: [each for each in inferred[key] if each not in named] for key in LISTS if key in inferred}
        return {**inferred, **without}
    listed = {column for kind in LISTS for column in declared.get(kind) or []}
    kept = {key: value for key, value in inferred.items() if key not in LISTS}
    rules = {column: rule for column, rule in (kept.pop("rules", None) or {}).items() if column in listed}
    return {**kept, "rules": rules} if rules else kept


def new_columns(case: UseCase, columns: Iterable[str]) -> list[str]:
    """Columns of the table that were not there when it was looked at, and are not declared since: a line each."""
    inferred = read_inferred(case.name)
    listed = {*case.features.all, *case.features.identifiers}
    return [
        f"column {column!r} is new since the columns of {case.name} were inferred: it is left out; list it under 'features' "
        f"to have it learned from, or {inferred.again}"
        for column in columns
        if inferred and column not in inferred.columns and column not in listed
    ]


@contextmanager
def told_how_to_declare(name: str) -> Iterator[None]:
    """An error that names a column which was inferred, and no longer is what it was, also says how it is declared."""
    try:
        yield
    except InputError as error:
        if remedy := how_to_declare(name, str(error)):
            raise InputError(f"{error}{remedy}") from None
        raise


def how_to_declare(name: str, problem: str) -> str:
    """What a person can do of a problem that names a column which was inferred; nothing where it names none."""
    inferred = read_inferred(name)
    for column in sorted(inferred.columns, key=len, reverse=True) if inferred else []:
        if inferred and (repr(column) in problem or f'"{column}"' in problem):
            return (
                f"; {column!r} was inferred from the table as it was: declare what it is now ('slipway check {name}' prints "
                f"the keys), or {inferred.again}"
            )
    return ""
