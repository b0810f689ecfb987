"""Pre-flight: what this computer has beside what a performer on the GPU needs, with advice in words. Imports no torch
before it is asked."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from core.errors import PerformerUnfit, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.performer.livetalk.spec import Preset

_MB = 1e6
_GB = 1e9
MEMORY_GB = 16
"""The text encoder's 11.4 GB pass through the computer's memory when a prompt is read for the first time."""
_ROUNDING_GB = 1.5
"""Of memory that a computer sold with so much reports less, because its firmware and its GPU keep some."""
_OLDEST_CAPABILITY = (8, 0)
"""Ampere: the first with bf16, which the released weights run in."""
_DRIVER_LIMIT_S = 10
_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Computer:
    """What there is, in bytes. The driver knows of GPUs that torch cannot use: `usable` says whether it can."""

    gpu: str = ""
    gpu_memory: int = 0
    gpu_free: int = 0
    capability: tuple[int, int] = (0, 0)
    driver: str = ""
    cuda: str = ""
    """The CUDA version that torch was built for; empty where it was built without."""
    usable: bool = False
    memory: int = 0
    disk_free: int = 0


@dataclass(frozen=True)
class Need:
    """One thing that is needed: `words` say what, and what there is; `advice` what to do where it is not met."""

    words: str
    met: bool
    advice: str = ""


def look_at(folder: Path) -> Computer:
    """This computer; its disk is the one that `folder` is or will be on. Takes a second or two the first time."""
    from core.performer.device import cuda_build, describe

    name, memory, driver = _told_by_driver()
    gpu = describe()
    place = next(part for part in (folder, *folder.parents) if part.exists())
    return Computer(
        gpu=gpu.name if gpu else name,
        gpu_memory=gpu.memory if gpu else memory,
        gpu_free=gpu.free if gpu else 0,
        capability=gpu.capability if gpu else (0, 0),
        driver=driver,
        cuda=cuda_build(),
        usable=gpu is not None,
        memory=psutil.virtual_memory().total,
        disk_free=shutil.disk_usage(place).free,
    )


def needs(computer: Computer, presets: Sequence[Preset], download: int) -> list[Need]:
    """What a performer that can run as any of `presets` needs, with `download` bytes still to come."""
    found = [_gpu(computer, presets)]
    if computer.gpu and found[0].met:
        found.append(_cuda(computer))
    found.append(_memory(computer))
    if download:
        found.append(_disk(computer, download))
    return found


def drawable(presets: Sequence[Preset], *, small_decoder: bool) -> list[Preset]:
    """Those of `presets` whose decoder is here: every preset's where the small one is."""
    return [preset for preset in presets if small_decoder or preset.decoder != "small"]


def best_preset(computer: Computer, presets: Sequence[Preset]) -> Preset | None:
    """The first of `presets`, best first, that the GPU can hold; None where it can hold none."""
    return next((preset for preset in presets if holds(computer, preset)), None)


def holds(computer: Computer, preset: Preset) -> bool:
    """Whether the GPU has the memory for it, when nobody else uses any."""
    return computer.gpu_memory >= preset.memory_mb * _MB


def choose(computer: Computer, presets: Sequence[Preset]) -> Preset:
    """The first of `presets`, best first, that can be loaded now.

    Raises:
        PerformerUnfit: none can (`GPU_UNSUITABLE`), and why.
    """
    for preset in presets:
        if computer.usable and computer.gpu_free >= preset.memory_mb * _MB:
            check(computer, preset)
            return preset
    check(computer, min(presets, key=lambda preset: preset.memory_mb))
    raise AssertionError("a computer that no preset fits has passed the check")


def check(computer: Computer, preset: Preset) -> None:
    """Compare what there is with what `preset` needs, before anything is loaded.

    Raises:
        PerformerUnfit: it cannot (`GPU_UNSUITABLE`), and why.
    """
    lacking = [need for need in needs(computer, (preset,), 0) if not need.met]
    if lacking:
        raise PerformerUnfit(Problem.GPU_UNSUITABLE, f"{lacking[0].words}.", lacking[0].advice)
    if computer.gpu_free < preset.memory_mb * _MB:
        raise PerformerUnfit(
            Problem.GPU_UNSUITABLE,
            f"Only {_gigabytes(computer.gpu_free)} of the GPU's memory are free; {_needed(preset)} are needed.",
            f"Close other programs that use the GPU, or choose {_instead(preset)}.",
        )


def _told_by_driver() -> tuple[str, int, str]:
    """Name, bytes and driver version of the largest NVIDIA GPU; empty where there is none, or no driver."""
    try:
        said = subprocess.run(_QUERY, capture_output=True, text=True, timeout=_DRIVER_LIMIT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "", 0, ""
    rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
    known = [(row[0], int(row[1]) << 20, row[2]) for row in rows if len(row) == 3 and row[1].isdigit()]
    return max(known, key=lambda gpu: gpu[1], default=("", 0, ""))


def _gpu(computer: Computer, presets: Sequence[Preset]) -> Need:
    best, least = presets[0], min(presets, key=lambda preset: preset.memory_mb)
    wanted = f"NVIDIA GPU with {_needed(least)} of memory"
    if least.memory_mb < best.memory_mb:
        wanted += f" ({_needed(best)} for the best picture)"
    if not computer.gpu:
        return Need(
            f"{wanted}: this computer has none", False, f"A computer with an NVIDIA GPU of {_needed(least)} or more."
        )
    has = f"{wanted}: this computer has {computer.gpu} with {computer.gpu_memory / (1 << 30):.0f} GB"
    if computer.usable and computer.capability < _OLDEST_CAPABILITY:
        advice = "An NVIDIA GPU of the RTX 30 series or later: older ones cannot compute in bf16."
        return Need(f"{has}, which is too old", False, advice)
    enough = best_preset(computer, presets) is not None
    return Need(has, enough, "" if enough else f"An NVIDIA GPU with {_needed(least)} of memory or more.")


def _cuda(computer: Computer) -> Need:
    """Whether torch can use the GPU that is there."""
    if computer.usable:
        return Need(f"Driver {computer.driver} and CUDA {computer.cuda}".replace("  ", " "), True)
    if not computer.cuda:
        return Need(
            "PyTorch with CUDA: the one that is installed was built without",
            False,
            "Install PyTorch with CUDA: pip install --force-reinstall torch==2.13.0",
        )
    return Need(
        f"A driver for CUDA {computer.cuda}: this computer has {computer.driver}, which PyTorch cannot use",
        False,
        "Install NVIDIA's latest driver, then start the computer again.",
    )


def _memory(computer: Computer) -> Need:
    enough = computer.memory >= (MEMORY_GB - _ROUNDING_GB) * _GB
    words = f"{MEMORY_GB} GB of memory: this computer has {round(computer.memory / (1 << 30))} GB"
    return Need(words, enough, "" if enough else "The text encoder alone takes 11.4 GB while it reads a prompt.")


def _disk(computer: Computer, download: int) -> Need:
    enough = computer.disk_free >= download
    words = f"{_gigabytes(download)} of disk space: {_gigabytes(computer.disk_free)} are free"
    return Need(words, enough, "" if enough else f"Free {_gigabytes(download - computer.disk_free)}.")


def _instead(preset: Preset) -> str:
    from core.performer.livetalk.spec import PRESETS

    less = any(other.memory_mb < preset.memory_mb for other in PRESETS)
    return "a preset that needs less" if less else "Portrait"


def _needed(preset: Preset) -> str:
    return f"{preset.memory_mb / 1000:.0f} GB"


def _gigabytes(count: float) -> str:
    return f"{count / _GB:.1f} GB" if count < 100 * _GB else f"{count / _GB:.0f} GB"
