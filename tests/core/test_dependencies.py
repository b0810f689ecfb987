"""What the project declares is what it imports."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"app", "core"}


def test_every_package_that_is_imported_is_declared() -> None:
    assert not imported() - declared()


def imported() -> set[str]:
    """Distributions that `app` and `core` import, in canonical names."""
    of_module = importlib.metadata.packages_distributions()
    modules = {
        name.split(".")[0]
        for folder in OURS
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in _names(node)
    }
    outside = modules - OURS - set(sys.stdlib_module_names)
    return {_canonical(name) for module in outside for name in of_module.get(module, [f"{module} (not installed)"])[:1]}


def declared() -> set[str]:
    """Names in pyproject.toml, and the parts they are made of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    requirements = project["dependencies"] + project["optional-dependencies"]["training"]
    names = {_canonical(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}
    return names | {"shiboken6", "xllamacpp"}  # Qt's own half, and what packaging/setup.sh installs by itself


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
