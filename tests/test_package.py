"""The rules of the house that a machine can check: layers, light import, sizes, names."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "spatial_reward"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("torch", "transformers", "mujoco", "open3d", "rerun", "matplotlib")
# Imports run downwards only. Modules on one line may import each other.
LAYERS = [
    {"camera", "_require", "_counted", "outputs"},
    {"types"},
    {"questions", "geometry"},
    {"chat", "chat_tokens"},
    {"models"},
    {"rewards"},
    {"viz"},
    {"envs"},
    {"data"},
    {"perception"},
    {"lerobot"},
    {"benchmark"},
    {"annotate"},
    {"training"},
    {"config"},
    {"demo", "doctor"},
    {"calibrate", "view", "retrain"},
    {"server", "cli"},
]


def layer(module: str) -> int:
    return next(level for level, names in enumerate(LAYERS) if module in names)


def imported_parts(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spatial_reward."):
            names.add(node.module.split(".")[1])
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("spatial_reward.")}
    return names


@pytest.mark.parametrize("path", [p for p in MODULES if p.stem != "__init__" or p.parent != PACKAGE], ids=str)
def test_imports_run_downwards(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part in ("conf",):
        assert not imported_parts(path)
        return
    above = {name for name in imported_parts(path) if layer(name) > layer(part)}
    assert not above, f"{part} imports {above}, which are above it"


def test_import_is_light():
    code = f"import sys, spatial_reward; print([m for m in {HEAVY} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_command_line_imports_nothing_heavy():
    heavy = (*HEAVY, "hydra", "gymnasium", "cv2", "scipy")
    code = f"import sys, spatial_reward.cli; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_are_short_and_say_what_they_hold(path):
    text = path.read_text()
    assert text.count("\n") <= 320, "split it"
    assert ast.get_docstring(ast.parse(text)), "say in one sentence what lives here"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_functions_are_short(path):
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    lines = {function.name: lines_of_code(function) for function in functions}
    assert not {name: count for name, count in lines.items() if count > 40}


def lines_of_code(function: ast.FunctionDef) -> int:
    """Lines after the signature and the docstring."""
    code = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - code[0].lineno + 1 if code else 0


@pytest.mark.parametrize("name", ["", ".geometry", ".questions", ".models", ".rewards", ".envs", ".viz"])
def test_public_names_exist(name):
    module = importlib.import_module(f"spatial_reward{name}")
    missing = [public for public in getattr(module, "__all__", []) if not hasattr(module, public)]
    assert not missing


def test_top_level_folders_hold_no_package():
    for folder in ("envs", "data", "training", "benchmark"):
        assert (ROOT / folder / "README.md").is_file()
        assert not list((ROOT / folder).rglob("__init__.py"))
