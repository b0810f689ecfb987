"""What the cards of the performers say about this computer."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from app.performer_cards import largest_gpu_gb, performer_cards

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a driver's tool that says so much before all others."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def install(says: str) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\nprintf '{says}'\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    return install


def test_the_largest_of_several_gpus_counts(driver) -> None:
    driver("8192\\n24564\\n")
    assert round(largest_gpu_gb()) == 24
    livetalk = performer_cards()[1]
    assert livetalk.requirements[0].met
    assert livetalk.requirements[0].words == "NVIDIA GPU with 24 GB of memory: this computer has 24 GB"


def test_a_driver_without_a_gpu_is_none(driver) -> None:
    driver("No devices were found\\n")
    assert largest_gpu_gb() == 0
    portrait, livetalk = performer_cards()
    assert portrait.selectable
    assert not livetalk.selectable
    assert livetalk.requirements[0].words.endswith("this computer has none")
    assert not livetalk.requirements[0].met
