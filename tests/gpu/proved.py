"""What a run of the tests on a GPU has proved, sentence by sentence; a plugin of pytest.

On a machine that has little but torch: `python -m pytest -c /dev/null --noconftest -p tests.gpu.proved tests/gpu`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import pytest

_WORDS = {"passed": "proved", "failed": "NOT SO", "error": "NOT SO", "skipped": "not tried"}
_CASE = re.compile(r"test_(?P<sentence>[^\[]+)(\[(?P<case>.+)\])?$")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each test, after everything else; nothing where there is no GPU to say it of."""
    if not torch.cuda.is_available():
        return
    terminalreporter.section(f"on {torch.cuda.get_device_name()}, torch {torch.__version__}")
    for outcome, words in _WORDS.items():
        for report in terminalreporter.stats.get(outcome, ()):
            if "gpu/" in report.nodeid:
                reason = f": {report.longrepr[2]}" if outcome == "skipped" else ""
                terminalreporter.line(f"{words:<9}  {sentence(report.nodeid)}{reason}")


def sentence(nodeid: str) -> str:
    """The test's name as the sentence that it is, and its case."""
    found = _CASE.search(nodeid.rpartition("::")[2])
    if found is None:
        return nodeid
    case = f" ({found['case']})" if found["case"] else ""
    return found["sentence"].replace("_", " ") + case
