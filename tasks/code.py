"""The code that a step runs: its module and all of the project that this imports, without comments and docstrings."""

from __future__ import annotations

import ast
import functools
import hashlib
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from configs.settings import PROJECT

PACKAGES = ("configs", "tasks", "serving")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Code:
    """Modules by name, and a digest of what one of them runs; sources are those of the moment at which it was made."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = dict(sources)
        self.parsed = functools.cache(self._parsed)
        self.digest = functools.cache(self._digest)

    def _digest(self, *modules: str) -> str:
        """SHA-256 over the modules and all that they import, directly or not."""
        digest, waiting, done = hashlib.sha256(), list(modules), set[str]()
        while waiting:
            if (name := waiting.pop()) not in done:
                done.add(name)
                waiting += self.parsed(name)[1]
        for name in sorted(done):
            digest.update(f"{name}\0{self.parsed(name)[0]}\0".encode())
        return digest.hexdigest()

    def _parsed(self, name: str) -> tuple[str, list[str]]:
        """A digest of what the module says, and the modules of the project that it imports."""
        tree = ast.parse(self.sources[name])
        imported = {module for module in imports(tree) if module in self.sources}
        return said(tree), sorted(imported)


def said(tree: ast.Module) -> str:
    """A digest of what a module says, without comments and docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def imports(tree: ast.Module, package: str = "") -> Iterator[str]:
    """Names that may be modules, with the packages that they lie in; `package` is where relative imports begin."""
    for node in ast.walk(tree):
        yield from _imported(node, package)


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        named = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        named = [".".join(filter(None, [*above, node.module, alias.name])) for alias in node.names]
    else:
        return
    for name in named:
        parts = name.split(".")
        yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def read_sources() -> dict[str, str]:
    """Every module of the project that a step can run, as its file is now."""
    found = {}
    for path in (path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")):
        parts = path.relative_to(PROJECT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def environment() -> str:
    """Python's version, and the name and version of every installed package, one a line."""
    installed = {info.name.removesuffix(".dist-info") for path in sys.path for info in Path(path).glob("*.dist-info")}
    return "\n".join([f"python-{platform.python_version()}", *sorted(installed)])


# Taken when the process starts, as its modules are: what is edited or installed later is run by later processes.
CODE, ENVIRONMENT = Code(read_sources()), environment()
