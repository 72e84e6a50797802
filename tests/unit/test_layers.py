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
# The rooms of `tasks/` along the way that the data goes: each imports those before it. A room's `values.py` is its words:
# any room may read them, and they read only each other's.
ROOMS = (
    *("problems", "verdicts", "columns", "data", "log", "privacy", "training", "fairness", "packaging", "routing"),
    *("registry", "comparing", "containers", "deploying", "gates", "rollouts", "review", "audit", "monitoring", "papers"),
    *("scoring", "onboarding"),
)


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


def modules(path):
    return [
        node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom) and node.module
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_those_before_them(room):
    later = ROOMS[ROOMS.index(room) + 1 :]
    for path in (PROJECT / "tasks" / room).rglob("*.py"):
        for name in modules(path):
            package, _, rest = name.partition(".")
            stray = package == "tasks" and rest.split(".")[0] in later and not name.endswith(".values")
            assert not stray, f"{path.relative_to(PROJECT)} imports {name}"


def test_every_room_has_its_place():
    folders = {path.parent.relative_to(PROJECT / "tasks").parts[:1] for path in (PROJECT / "tasks").rglob("*.py")}
    assert folders == {(), *((room,) for room in ROOMS)}


def test_what_all_rooms_use_knows_no_room():
    for path in (PROJECT / "tasks").glob("*.py"):
        stray = [name for name in modules(path) if name.split(".")[0] == "tasks" and name.split(".")[1] in ROOMS]
        assert not stray, f"{path.relative_to(PROJECT)} imports {stray}"


def test_values_read_only_values():
    for path in (PROJECT / "tasks").rglob("values.py"):
        stray = [name for name in modules(path) if name.startswith("tasks.") and not name.endswith((".values", ".store"))]
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
    assert len(files) > 30
    for name, path in files.items():
        nodes = ast.walk(ast.parse(path.read_text()))
        stray = {node.module for node in nodes if isinstance(node, ast.ImportFrom)} & set(files) - {name}
        assert not stray, f"{name} imports {stray}"


def test_the_server_holds_only_what_the_image_holds():
    program = "import sys, serving.transports.http, serving.__main__; "
    program += "print(' '.join(sorted({n.split('.')[0] for n in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    heavy = {"prefect", "mlflow", "sklearn", "pandas", "evidently", "great_expectations", "pydantic", "duckdb", "configs"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("words", [("audit", "why", "nobody-asked"), ("log", "verify", "flights")])
def test_who_only_asks_waits_for_no_prefect(words, home):
    """Prefect takes a second and a half to import."""
    program = f"""
import sys
from console.cli import main
sys.argv = ["slipway", *{words!r}]
try:
    main()
finally:
    print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False)
    loaded = done.stdout.splitlines()[-1].split()
    assert "console" in loaded, done.stderr
    assert not {"prefect", "mlflow", "sklearn", "pandas", "evidently"} & set(loaded)


def test_the_lock_names_no_index():
    for name in ("requirements.lock", "infra/serving.lock"):
        assert "://" not in (PROJECT / name).read_text()
