"""Importing is free: no file, no socket, no thread, no environment, and for the engine no Qt."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys, threading
from pathlib import Path

package, root = sys.argv[1], sys.argv[2]
if package == "core":
    import tests.without_qt
deeds = []

def by_whom():
    frame = sys._getframe(2)
    while frame:
        name = frame.f_code.co_filename
        if "site-packages" in name:
            return None
        if name.startswith((root + "/app/", root + "/core/")):
            return f"{name[len(root) + 1:]}:{frame.f_lineno}"
        frame = frame.f_back
    return None

WATCHED = {"os.mkdir", "os.remove", "os.rename", "os.putenv", "os.unsetenv", "socket.connect", "socket.bind",
           "subprocess.Popen", "_thread.start_new_thread", "os.system"}

def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and any(letter in arguments[1] for letter in "wax+")
    if (event in WATCHED or writes) and (where := by_whom()):
        deeds.append(f"{where} does {event} {arguments}")

sys.addaudithook(watch)
modules = [found.name for found in pkgutil.walk_packages([f"{root}/{package}"], f"{package}.")]
for name in modules:
    if not name.endswith("__main__"):
        importlib.import_module(name)
deeds += [f"thread {thread.name} runs" for thread in threading.enumerate() if thread is not threading.main_thread()]
print(f"{len(modules)} modules")
sys.exit("\\n".join(deeds) or 0)
"""


@pytest.mark.parametrize("package", ["core", "app"])
def test_importing_every_module_does_nothing_else(package: str) -> None:
    if package == "app" and "tests.without_qt" in sys.modules:
        pytest.skip("the window's modules need Qt, which this run hides")
    ran = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_EVERYTHING, package, str(ROOT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout.split()[0]) > 0


def test_nobody_sleeps() -> None:
    sleepers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("app", "core", "tests", "packaging")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if _sleeps(node)
    ]
    assert not sleepers


def _sleeps(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(name.name == "sleep" for name in node.names)
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "sleep"
        and isinstance(node.value, ast.Name)
        and node.value.id == "time"
    )
