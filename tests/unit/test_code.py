"""What is kept is kept under the code that made it: not under comments, other steps' code, or what is edited meanwhile."""

import ast
import shutil
import subprocess
import sys

import pytest

from configs.settings import PROJECT
from tasks.code import CODE, PACKAGES, Code, environment

LOADED = "import sys, {step}; print(*(n for n in sys.modules if n.partition('.')[0] in ('configs', 'tasks', 'serving')))"


def edited(module, old, new):
    """The project's code with one edit."""
    assert old in CODE.sources[module], f"{module} no longer says {old!r}"
    return Code({**CODE.sources, module: CODE.sources[module].replace(old, new, 1)})


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("tasks.gates.load", '"""', '"""Edited. '),
        ("tasks.gates.load", "\nfrom tasks", "  # edited\nfrom tasks"),
        ("tasks.gates.load", "\nfrom tasks", "\nimport ast\nfrom tasks"),
        ("tasks.training.fit", '"""Fitting', '"""Edited'),
        ("tasks.training.values", "    digest: str\n", "    digest: str  # edited\n"),
    ],
)
def test_what_a_training_does_not_run_trains_nothing_again(module, old, new):
    after = edited(module, old, new)
    assert after.digest("tasks.training.train") == CODE.digest("tasks.training.train")
    assert after.digest("tasks.training.try_recipe") == CODE.digest("tasks.training.try_recipe")


def test_a_changed_line_trains_again_and_only_what_runs_it():
    after = edited("tasks.training.estimators.linear", '"max_iter": 1000', '"max_iter": 1001')
    assert after.digest("tasks.training.train") != CODE.digest("tasks.training.train")
    assert after.digest("tasks.training.try_recipe") != CODE.digest("tasks.training.try_recipe")
    assert after.digest("tasks.data.validate") == CODE.digest("tasks.data.validate")
    after = edited("serving.contract.kinds.strings", "MISSING = ", "MISSING: str = ")
    assert after.digest("tasks.training.train") != CODE.digest("tasks.training.train"), (
        "what a step imports of others counts"
    )


@pytest.mark.parametrize("step", ["tasks.training.train", "tasks.packaging.convert"])
def test_the_digest_holds_every_module_that_a_step_loads(step):
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(step=step)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for name in done.stdout.split():
        changed = Code({**CODE.sources, name: CODE.sources[name] + "\nEDITED = 1\n"})
        assert changed.digest(step) != CODE.digest(step), name


def test_no_step_imports_the_project_late():
    """What is loaded when a process starts is what it runs until it ends."""
    for name, source in CODE.sources.items():
        if not name.startswith(("tasks", "configs")):
            continue
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        for node in (node for function in functions for node in ast.walk(function)):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in PACKAGES, f"{name} imports {node.module} in a function"


def test_an_edit_while_a_process_runs_files_nothing_under_the_new_code(tmp_path):
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    program = """
import pathlib, sys, tasks.code as code
before = code.Code(code.read_sources()).digest("tasks.training.train")
path = pathlib.Path(code.__file__).with_name("training") / "fit.py"
path.write_text(path.read_text() + "\\nEDITED = 1\\n")
print(before, code.CODE.digest("tasks.training.train"), code.Code(code.read_sources()).digest("tasks.training.train"))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    before, running, later = done.stdout.split()
    assert running == before != later


def test_installed_packages_are_part_of_the_environment(tmp_path, monkeypatch):
    before = environment()
    (tmp_path / "numpy-99.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert set(environment().splitlines()) - set(before.splitlines()) == {"numpy-99.0"}
    assert f"python-{sys.version_info.major}.{sys.version_info.minor}" in before


def test_a_step_is_kept_under_code_environment_and_inputs(monkeypatch):
    from types import SimpleNamespace

    import tasks.step
    from tasks.training.train import train

    context = SimpleNamespace(task=train)
    key = tasks.step.content_key(context, {"rows": 3})
    assert key == tasks.step.content_key(context, {"rows": 3})
    others = [tasks.step.content_key(context, {"rows": 4})]
    monkeypatch.setattr(tasks.step, "ENVIRONMENT", "python-9\nnumpy-99.0")
    others.append(tasks.step.content_key(context, {"rows": 3}))
    monkeypatch.undo()
    monkeypatch.setattr(
        tasks.step, "CODE", edited("tasks.training.estimators.linear", '"max_iter": 1000', '"max_iter": 1001')
    )
    others.append(tasks.step.content_key(context, {"rows": 3}))
    monkeypatch.setattr(tasks.step, "CODE", edited("tasks.gates.load", '"""', '"""Edited. '))
    assert tasks.step.content_key(context, {"rows": 3}) == key
    assert len({key, *others}) == 4


def test_a_commit_makes_no_other_bundle(bundle_folder):
    """Which commit and which packages made it is kept beside: the manifest, whose digest is the bundle's, names neither."""
    from tasks.registry.provenance import provenance

    manifest = (bundle_folder / "manifest.json").read_text()
    card = (bundle_folder / "card.md").read_text()
    for name, value in provenance().items():
        assert f'"{name}"' not in manifest
        assert value not in card
