"""torch's libraries are loaded while other threads go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = """
import sys
import core.performer.libraries as libraries
libraries.load_libraries()
assert "torch" not in sys.modules
loaded = open("/proc/self/maps").read()
for name in libraries._LARGE[sys.platform]:
    assert name in loaded, name
libraries.load_libraries()
"""
ABSENT = """
import importlib.util
importlib.util.find_spec = lambda name: None
import core.performer.libraries as libraries
libraries.load_libraries()
assert "libtorch" not in open("/proc/self/maps").read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("program", [LOADED, ABSENT], ids=["loaded", "absent"])
def test_what_the_import_will_need_is_loaded_without_it(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
