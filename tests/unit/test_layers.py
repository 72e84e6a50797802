"""Imports run one way, and the server's process holds only what its image holds."""

import ast
import subprocess
import sys

import pytest

from configs.settings import PROJECT

ALLOWED = {
    "serving": {"serving"},
    "configs": {"configs"},
    "tasks": {"configs", "serving", "tasks"},
    "flows": {"configs", "serving", "tasks", "flows"},
    "console": {"configs", "serving", "tasks", "flows", "console"},
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_run_one_way(package):
    ours = set(ALLOWED)
    for path in (PROJECT / package).rglob("*.py"):
        stray = (set(imports(path)) & ours) - ALLOWED[package]
        assert not stray, f"{path.relative_to(PROJECT)} imports {stray}"


def test_no_step_imports_another():
    """Steps meet in flows; what two of them share stands in a file of its own."""

    def steps(path):
        marks = ("@task", "@step")
        return any(line.startswith(marks) for line in path.read_text().splitlines())

    files = {
        ".".join(path.relative_to(PROJECT).with_suffix("").parts): path
        for path in (PROJECT / "tasks").rglob("*.py")
        if steps(path)
    }
    assert len(files) > 15
    for name, path in files.items():
        nodes = ast.walk(ast.parse(path.read_text()))
        stray = {node.module for node in nodes if isinstance(node, ast.ImportFrom)} & set(files) - {name}
        assert not stray, f"{name} imports {stray}"


def test_the_server_holds_only_what_the_image_holds():
    program = "import sys, serving.app, serving.__main__; print(' '.join(sorted({n.split('.')[0] for n in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    heavy = {"prefect", "mlflow", "sklearn", "pandas", "evidently", "great_expectations", "pydantic", "duckdb", "configs"}
    assert not heavy & set(done.stdout.split())


def test_the_lock_names_no_index():
    for name in ("requirements.lock", "infra/serving.lock"):
        assert "://" not in (PROJECT / name).read_text()
