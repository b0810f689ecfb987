"""What a computer has, beside what a performer on the GPU needs."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from core.errors import PerformerUnfit, Problem
from core.performer.livetalk.spec import FASTEST, LOW, PRESETS, QUALITY
from core.performer.preflight import Computer, best_preset, check, choose, drawable, look_at, needs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GIB = 1 << 30
GOOD = Computer(
    gpu="NVIDIA GeForce RTX 4090",
    gpu_memory=24 * GIB,
    gpu_free=23 * GIB,
    capability=(8, 9),
    driver="580.65",
    cuda="12.8",
    usable=True,
    memory=64 * GIB,
    disk_free=int(100e9),
)
NOTHING = Computer(memory=8 * GIB, disk_free=int(5e9))


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a driver's tool that says so much before all others."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def install(says: str) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\nprintf '{says}'\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    return install


def unmet(computer: Computer, download: int = 0) -> list[str]:
    return [need.words for need in needs(computer, PRESETS, download) if not need.met]


def test_a_good_computer_lacks_nothing_and_runs_the_best() -> None:
    assert unmet(GOOD, int(18e9)) == []
    assert best_preset(GOOD, PRESETS) is QUALITY
    check(GOOD, QUALITY)


def test_a_computer_without_a_gpu_is_told_what_it_would_take() -> None:
    gpu, memory, disk = needs(NOTHING, PRESETS, int(18e9))
    assert gpu.words == "NVIDIA GPU with 6 GB of memory (11 GB for the best picture): this computer has none"
    assert gpu.advice == "A computer with an NVIDIA GPU of 6 GB or more."
    assert memory.words == "16 GB of memory: this computer has 8 GB"
    assert disk.words == "18.0 GB of disk space: 5.0 GB are free"
    assert disk.advice == "Free 13.0 GB."
    assert not any(need.met for need in (gpu, memory, disk))


def test_a_smaller_gpu_runs_a_smaller_preset_and_a_tiny_one_none() -> None:
    assert best_preset(replace(GOOD, gpu_memory=8 * GIB), PRESETS) is FASTEST
    assert best_preset(replace(GOOD, gpu_memory=6 * GIB), PRESETS) is LOW
    tiny = replace(GOOD, gpu="NVIDIA T400", gpu_memory=4 * GIB)
    assert best_preset(tiny, PRESETS) is None
    assert unmet(tiny) == [
        "NVIDIA GPU with 6 GB of memory (11 GB for the best picture): this computer has NVIDIA T400 with 4 GB"
    ]


def test_without_the_small_decoder_only_the_best_preset_is_left() -> None:
    assert drawable(PRESETS, small_decoder=True) == list(PRESETS)
    left = drawable(PRESETS, small_decoder=False)
    assert left == [QUALITY]
    assert best_preset(replace(GOOD, gpu_memory=8 * GIB), left) is None
    assert needs(GOOD, left, 0)[0].words.startswith("NVIDIA GPU with 11 GB of memory: this computer has")


def test_an_old_gpu_is_called_old() -> None:
    old = replace(GOOD, gpu="NVIDIA TITAN RTX", capability=(7, 5))
    assert unmet(old)[0].endswith("NVIDIA TITAN RTX with 24 GB, which is too old")
    with pytest.raises(PerformerUnfit) as unfit:
        check(old, QUALITY)
    assert "RTX 30" in unfit.value.advice


def test_a_torch_without_cuda_and_a_driver_that_is_too_old_are_told_apart() -> None:
    unusable = replace(GOOD, usable=False, capability=(0, 0), gpu_free=0)
    assert unmet(replace(unusable, cuda="")) == ["PyTorch with CUDA: the one that is installed was built without"]
    assert unmet(unusable) == ["A driver for CUDA 12.8: this computer has 580.65, which PyTorch cannot use"]


def test_memory_that_others_hold_is_missed_before_anything_is_loaded() -> None:
    busy = replace(GOOD, gpu_free=int(7.5e9))
    with pytest.raises(PerformerUnfit) as unfit:
        check(busy, QUALITY)
    assert unfit.value.problem is Problem.GPU_UNSUITABLE
    assert unfit.value.title == "Only 7.5 GB of the GPU's memory are free; 11 GB are needed."
    assert unfit.value.advice == "Close other programs that use the GPU, or choose a preset that needs less."
    check(busy, LOW)


def test_the_best_preset_that_there_is_room_for_now_is_chosen() -> None:
    assert choose(GOOD, PRESETS) is QUALITY
    assert choose(replace(GOOD, gpu_free=int(7e9)), PRESETS) is LOW
    with pytest.raises(PerformerUnfit) as full:
        choose(replace(GOOD, gpu_free=int(2e9)), PRESETS)
    assert full.value.title == "Only 2.0 GB of the GPU's memory are free; 6 GB are needed."
    assert full.value.advice.endswith("or choose Portrait.")
    with pytest.raises(PerformerUnfit) as none:
        choose(NOTHING, PRESETS)
    assert none.value.title.endswith("this computer has none.")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer's own GPU would be found")
def test_the_largest_gpu_that_the_driver_knows_counts(driver: Callable[[str], None], tmp_path: Path) -> None:
    driver("NVIDIA T400, 4096, 580.65\\nNVIDIA RTX A5000, 24564, 580.65\\n")
    computer = look_at(tmp_path / "not" / "yet")
    assert (computer.gpu, computer.gpu_memory, computer.driver) == ("NVIDIA RTX A5000", 24564 << 20, "580.65")
    assert not computer.usable
    assert computer.disk_free > 0
    assert computer.memory > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer's own GPU would be found")
@pytest.mark.parametrize("says", ["No devices were found\\n", "", "NVIDIA X, [N/A], 1\\n", "a, b\\n"])
def test_a_driver_without_a_gpu_is_none(driver: Callable[[str], None], tmp_path: Path, says: str) -> None:
    driver(says)
    assert look_at(tmp_path).gpu == ""
