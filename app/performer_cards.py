"""The ways to draw the avatar, as cards for Settings, with what this computer has for each. Pool threads."""

from __future__ import annotations

import subprocess

import psutil
from PySide6.QtCore import QCoreApplication

from app.settings_services import PerformerCard, Requirement

_GIB = 1 << 30
_GPU_GB = 24
_MEMORY_GB = 32
_ROUNDING_GB = 2
"""Of memory that a computer sold with so much reports less, because its firmware and its GPU keep some."""


def performer_cards() -> list[PerformerCard]:
    """Every performer there is, those included that this computer cannot run."""
    return [_portrait(), _livetalk(largest_gpu_gb(), psutil.virtual_memory().total / _GIB)]


def largest_gpu_gb() -> float:
    """Memory of the largest NVIDIA GPU, by its driver's own tool; 0 where there is none."""
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0.0
    return max((float(line) / 1024 for line in said.split() if line.strip().isdigit()), default=0.0)


def _portrait() -> PerformerCard:
    tr = QCoreApplication.translate
    needs = (
        Requirement(tr("Performers", "Any computer with two processor cores"), met=True),
        Requirement(tr("Performers", "Nothing to download"), met=True),
    )
    gives = tr("Performers", "Any picture, 512 × 512, 25 frames a second. Lips follow the voice.")
    return PerformerCard("portrait", tr("Performers", "Portrait"), gives, needs, selectable=True)


def _livetalk(gpu_gb: float, memory_gb: float) -> PerformerCard:
    tr = QCoreApplication.translate
    has = tr("Performers", "this computer has {} GB")
    gpu = has.format(round(gpu_gb)) if gpu_gb else tr("Performers", "this computer has none")
    needs = (
        Requirement(
            tr("Performers", "NVIDIA GPU with {} GB of memory: {}").format(_GPU_GB, gpu),
            met=gpu_gb >= _GPU_GB - _ROUNDING_GB,
        ),
        Requirement(
            tr("Performers", "{} GB of memory: {}").format(_MEMORY_GB, has.format(round(memory_gb))),
            met=memory_gb >= _MEMORY_GB - _ROUNDING_GB,
        ),
        Requirement(tr("Performers", "Model files: this version of LiveTalk can’t load them yet"), met=False),
    )
    gives = tr("Performers", "The whole picture is imagined anew: head, gaze and expression move with what is said.")
    longer = tr(
        "Performers",
        "A computer with an NVIDIA GPU of {} GB or more, {} GB of memory, and a later version of LiveTalk. "
        "Portrait goes on meanwhile.",
    ).format(_GPU_GB, _MEMORY_GB)
    return PerformerCard("livetalk", tr("Performers", "LiveTalk 1.3B"), gives, needs, selectable=False, needs=longer)
