"""Reading a use case, with errors that name the file, the line, the key and what would be right."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from configs.errors import InputError, nearest
from configs.inferred import Inferred, Keys, NotInferred, completed, in_full, left_open, read_inferred
from configs.renamed import RENAMED
from configs.schema import UseCase
from configs.settings import CLONE, PROJECT, home


def use_case_folders() -> list[Path]:
    """The folders that hold a YAML a use case: those of `SLIPWAY_USE_CASES`, or `configs/` in the project.

    Several are separated as those of `PATH` are; a new use case is written into the first. Where Slipway was installed,
    `configs/` belongs to the package: it holds the examples, and `written/` in the home comes first.
    """
    given = [part for part in os.environ.get("SLIPWAY_USE_CASES", "").split(os.pathsep) if part]
    examples = PROJECT / "configs"
    usual = [examples] if CLONE else [home() / "written", examples]
    return [Path(part).expanduser().resolve() for part in given] or usual


def use_case_file(name: str) -> Path:
    """Where a use case is written down, or would be.

    Raises:
        InputError: two folders have one of that name.
    """
    paths = [folder / f"{name}.yaml" for folder in use_case_folders()]
    found = [path for path in paths if path.is_file()]
    if len(found) > 1:
        raise InputError(f"use case {name!r}: is written down twice, in {found[0]} and {found[1]}; rename one of them")
    return found[0] if found else paths[0]


def use_case_names() -> list[str]:
    """The use cases that are written down, sorted."""
    return sorted({path.stem for folder in use_case_folders() for path in folder.glob("*.yaml")})


def load_use_case(name: str, inferred: Inferred | None = None) -> UseCase:
    """The use case of that name; what it does not declare is what was frozen at its first release, or `inferred`.

    Raises:
        InputError: there is no such use case, or something in it is wrong.
        NotInferred: its table was not looked at yet.
    """
    path = existing_file(name)
    shown = path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
    text = path.read_text(encoding="utf-8")
    use_case = parse_use_case(text, str(shown), inferred or read_inferred(name), path.parent)
    if use_case.name != name:
        raise InputError(f"{shown}: 'name' is {use_case.name!r}, but the file is named {name!r}; make them one")
    return use_case


def existing_file(name: str) -> Path:
    """The file of the use case.

    Raises:
        InputError: there is none of that name, or there are two.
    """
    path = use_case_file(name)
    if not path.is_file():
        shown = path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
        raise InputError(f"use case {name!r}: no file {shown}; {nearest(name, use_case_names())}")
    return path


def parse_use_case(text: str, where: str, inferred: Inferred | None = None, folder: Path | None = None) -> UseCase:
    """A use case from YAML text; `where` names the text in errors, relative paths of short forms begin in `folder`.

    Raises:
        InputError: the first thing that is wrong.
        NotInferred: nothing is, but for what is left to a table that was not looked at.
    """
    tree = _read(text, where)
    keys = in_full(_plain(tree), folder)
    try:
        return UseCase.model_validate(completed(keys, inferred) if inferred else keys)
    except ValidationError as error:
        wrong = _told(error, tree, where, keys, inferred)
    if not wrong:
        name, lacking = keys["name"], " and ".join(map(repr, left_open(keys)))
        raise NotInferred(
            f"{where}: {lacking}: not declared, and not inferred from the table yet; 'slipway check {name}' shows what "
            f"would be, 'slipway release {name}' takes it"
        )
    raise InputError(wrong[0])


def faults(text: str, where: str, inferred: Inferred | None = None, folder: Path | None = None) -> list[str]:
    r"""Everything that is wrong with the YAML text of a use case, a line each; none where it is right.

    >>> faults("name: Small\nsource: {tables: {rows: rows.csv}}\nmodell: {}", "small.yaml")[0]
    "small.yaml:3: unknown key 'modell'; did you mean 'model'?"
    """
    try:
        tree = _read(text, where)
        keys = in_full(_plain(tree), folder)
        UseCase.model_validate(completed(keys, inferred) if inferred else keys)
    except InputError as error:
        return [str(error)]
    except ValidationError as error:
        return _told(error, tree, where, keys, inferred)
    return []


def declared_keys(name: str) -> Keys:
    """The keys that the file of a use case declares, short forms written out.

    Raises:
        InputError: there is no such file, or it is not YAML.
    """
    path = existing_file(name)
    return in_full(_plain(_read(path.read_text(encoding="utf-8"), path.name)), path.parent)


def _read(text: str, where: str) -> CommentedMap:
    try:
        tree = YAML().load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{where}:{line}: not valid YAML: {error.problem}") from None
    if not isinstance(tree, CommentedMap):
        raise InputError(f"{where}:1: a use case is a mapping of keys; see configs/flights.yaml for an example")
    return tree


def _told(error: ValidationError, tree: CommentedMap, where: str, keys: Keys, inferred: Inferred | None) -> list[str]:
    """Each thing that is wrong, in a line; the misspelt keys first. What a look at the table will give is not missing.

    A misspelt key is also a missing one, and the misspelling is what a person wants to hear of.
    """
    lines, given = [], () if inferred else left_open(keys)
    inherited = f"; what is not declared here was inferred: {inferred.path}" if inferred else ""
    for found in sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden"):
        if found["loc"] in [(key,) for key in given]:
            continue
        named = [str(part) for part in found["loc"] if not _is_union_branch(str(part))]
        rest = inherited if found["type"] == "value_error" else ""  # two keys may not fit, of which one stands there
        lines.append(f"{where}:{_line(tree, found['loc'])}: {_explain(found, named)}{rest}")
    return list(dict.fromkeys(lines))


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _is_union_branch(part: str) -> bool:
    """Pydantic adds the branch of a union to the location; it is no key of the file."""
    branches = {"timedelta", "float", "str", "int", "bool", "invariance", "direction", "minimum", "a class", "a bound"}
    return part in branches or part.startswith(("function-", "constrained-"))


def _line(tree: CommentedMap, location: Iterable[Any]) -> int:
    line, node = 1, tree
    for part in location:
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
        else:
            break
        node = node[part]
    return line


def _explain(error: Any, keys: list[str]) -> str:
    key = ".".join(keys) or "use case"
    kind, message = error["type"], str(error["msg"])
    if kind == "extra_forbidden" and key in RENAMED:
        return f"{key!r} is called {RENAMED[key]!r} now"
    if kind == "extra_forbidden":
        return f"unknown key {key!r}; {nearest(keys[-1], _fields_at(keys[:-1]))}"
    if kind == "missing":
        return f"key {key!r} is missing"
    if kind == "value_error":
        return f"{key!r}: {message.removeprefix('Value error, ')}"
    return f"{key!r}: {message[0].lower()}{message[1:]}, found {error['input']!r}"


def _fields_at(keys: Iterable[str]) -> list[str]:
    """Names that may stand below the given keys of a use case; numbers among them are places in a list."""
    models: list[Any] = [UseCase]
    for key in keys:
        if not key.isdigit():
            models = [found for model in models if key in model.model_fields for found in _models(model.model_fields[key])]
    return [name for model in models for name in model.model_fields]


def _models(field: Any) -> list[Any]:
    """The models in a field's type: of `X | None`, `list[X]`, `dict[str, X]` and unions every X."""
    waiting, found = [field.annotation], []
    while waiting:
        kind = waiting.pop()
        if _is_model(kind):
            found.append(kind)
        waiting += get_args(kind)
    return found


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
