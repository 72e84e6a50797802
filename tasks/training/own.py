"""An own pipeline: what the function returns that `model.pipeline` names, and a digest of the source that it is made of.

The function is called `build(given, **model.parameters)`; it returns an unfitted classifier or regressor of scikit-learn,
or a Pipeline that ends in one.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import InputError, nearest
from configs.load import use_case_folders
from configs.schema import Features, Model, Recipe
from tasks.code import imports, said
from tasks.columns.encoder import encoder
from tasks.problems.problem import Problem
from tasks.training.convertible import unconvertible
from tasks.training.given_file import keep_file

WHERE = "model.pipeline"


@dataclass(frozen=True)
class Given:
    """What the function is given: the features by kind, in the order of the columns that are fitted, problem and seed."""

    features: Features
    problem: str
    seed: int

    @property
    def numeric(self) -> list[str]:
        """Names of the columns of numbers: float32, NaN where missing."""
        return self.features.numeric

    @property
    def categorical(self) -> list[str]:
        """Names of the columns of categories: strings, empty where missing."""
        return self.features.categorical

    @property
    def text(self) -> list[str]:
        """Names of the columns of texts, which only `encoder` reads."""
        return self.features.text

    @property
    def datetime(self) -> list[str]:
        """Names of the columns of moments, which only `encoder` reads."""
        return self.features.datetime

    @property
    def boolean(self) -> list[str]:
        """Names of the columns of booleans: float32, 1 or 0, NaN where missing."""
        return self.features.boolean

    def encoder(self, linear: bool = False) -> Any:
        """The ColumnTransformer that the built-in estimators have: scaled and one column a category, or as trees take it."""
        return encoder(self.features, linear)


def own_pipeline(features: Features, model: Model, problem: Problem) -> Any:
    """The unfitted Pipeline; what in it is random has the use case's seed where it has none of its own.

    Raises:
        InputError: there is no such function, it fails, or what it returns does not fit or cannot become a graph.
    """
    from sklearn.pipeline import Pipeline

    function = _loaded(str(model.pipeline))[0]
    given = Given(features, problem.name, model.seed)
    try:
        inspect.signature(function).bind(given, **model.parameters)
    except TypeError as error:
        raise InputError(f"model.parameters: {model.pipeline}{inspect.signature(function)}: {error}") from None
    try:
        made = function(given, **model.parameters)
    except Exception as error:
        raise InputError(f"{WHERE}: {model.pipeline} fails: {told(error)}") from error
    if wrong := _wrong(made) or problem.unfit(made) or unconvertible(made):
        raise InputError(f"{WHERE}: {model.pipeline} returns {wrong}")
    pipeline = made if isinstance(made, Pipeline) else Pipeline([("model", made)])
    unseeded = [name for name, value in pipeline.get_params().items() if name.endswith("random_state") and value is None]
    return pipeline.set_params(**dict.fromkeys(sorted(unseeded), model.seed))


def with_source(recipe: Recipe) -> Recipe:
    """The recipe with the digest of its own pipeline's source, or of its own file, if it has one: a change trains again.

    The file is kept under that digest, so that all steps see the same one.
    """
    if recipe.model.onnx is not None:
        return recipe.model_copy(update={"source": keep_file(recipe.model.onnx)})
    return (
        recipe if recipe.model.pipeline is None else recipe.model_copy(update={"source": source_of(recipe.model.pipeline)})
    )


def same_source(recipe: Recipe) -> None:
    """Nothing is fitted under the digest of another source.

    Raises:
        InputError: the source was edited since the run began, or is another one on this machine.
    """
    if recipe.source and recipe.model.pipeline is not None and recipe != with_source(recipe):
        raise InputError(f"{WHERE}: the source of {recipe.model.pipeline} is not what the run began with; start it again")


def source_of(path: str) -> str:
    """SHA-256 over the module of `MODULE:FUNCTION` and what it imports of the folder or package that it lies in.

    Without comments and docstrings, and as this process has loaded it.

    Raises:
        InputError: it cannot be imported.
    """
    return _loaded(path)[1]


def beside_use_cases() -> None:
    """Modules in the folders of use cases can be imported; installed ones come first."""
    sys.path += [str(folder) for folder in use_case_folders() if str(folder) not in sys.path]
    importlib.invalidate_caches()


def told(error: BaseException) -> str:
    """An exception in one line, with the line of code that raised it."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({Path(str(error.filename)).name}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if not _of_others(frame.filename)), frames[-1])
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({Path(last.filename).name}, line {last.lineno})"


def _of_others(filename: str) -> bool:
    return "site-packages" in filename or filename.startswith(("<", sys.base_prefix))


@functools.cache
def _loaded(path: str) -> tuple[Callable[..., Any], str]:
    """The function, and the digest of the source; once a process, as all other code."""
    name, _, attribute = path.partition(":")
    module = _imported(name)
    function = getattr(module, attribute, None)
    if not callable(function):
        known = [each for each, value in vars(module).items() if inspect.isfunction(value)]
        raise InputError(f"{WHERE}: {name} ({module.__file__}) has no function {attribute!r}; {nearest(attribute, known)}")
    return function, _digest(name)


def _imported(name: str) -> Any:
    beside_use_cases()
    usual, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # an edit within a second would find the old bytecode
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise InputError(f"{WHERE}: {name} cannot be imported: {told(error)}; install what it needs") from error
        folders = " or ".join(map(str, use_case_folders()))
        raise InputError(f"{WHERE}: there is no module {error.name!r}, neither installed nor in {folders}") from None
    except Exception as error:
        raise InputError(f"{WHERE}: {name} cannot be imported: {told(error)}") from error
    finally:
        sys.dont_write_bytecode = usual


def _digest(name: str) -> str:
    found: dict[str, str] = {}
    waiting = [name]
    root = _root(name)
    while waiting:
        module = waiting.pop()
        path = _file(root, module, name)
        if path is None or module in found:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        waiting += [*_parents(module), *imports(tree, package)]
        found[module] = said(tree)
    return hashlib.sha256("".join(f"{each}\0{found[each]}\0" for each in sorted(found)).encode()).hexdigest()


def _root(name: str) -> Path:
    """The folder that the module's topmost package lies in."""
    top = sys.modules[name.partition(".")[0]]
    return Path(next(iter(top.__path__))).parent if hasattr(top, "__path__") else Path(str(top.__file__)).parent


def _file(root: Path, module: str, of: str) -> Path | None:
    """Where a module lies, if it counts: in the folder of a use case all do, else those of the same package."""
    if root not in use_case_folders() and module.partition(".")[0] != of.partition(".")[0]:
        return None
    base = root.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))


def _wrong(made: Any) -> str:
    """Why it is no estimator; or empty."""
    from sklearn.base import BaseEstimator

    if inspect.isclass(made):
        return f"the class {made.__name__}; return an instance of it, {made.__name__}(...)"
    if not isinstance(made, BaseEstimator) or not hasattr(made, "fit"):
        return f"{made!r:.80}, which is no estimator; return a classifier or regressor of scikit-learn, or a Pipeline"
    return ""
