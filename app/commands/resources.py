"""What this computer has for LiveTalk: memory, disk, a GPU, models, a keyring, an endpoint."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import psutil

from app.commands.checks import Check, Finding
from app.commands.choices import endpoint_key
from app.keys import system_keyring
from app.setup.livetalk import NAME, complete, left, room
from app.setup.models import MODELS, verify
from app.setup.pace import gigabytes
from core.errors import LiveTalkError
from core.performer.livetalk.files import find
from core.performer.livetalk.spec import PRESETS
from core.performer.preflight import best_preset, drawable, look_at, needs
from core.settings import AvatarSettings, Settings, data_folder, load, models_folder, settings_path, with_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.performer.preflight import Computer

_GB = 1e9
_MEMORY_NEEDED_GB = 2.0
_DISK_NEEDED_GB = 1.0


def check_memory_and_disk() -> Iterator[Check]:
    """Room to run, and room for models and recordings."""
    memory = psutil.virtual_memory()
    found = f"{memory.available / _GB:.1f} GB free of {memory.total / _GB:.1f} GB, {os.cpu_count()} processors"
    enough = memory.available >= _MEMORY_NEEDED_GB * _GB
    advice = "" if enough else f"LiveTalk wants {_MEMORY_NEEDED_GB:.0f} GB free. Close other programs."
    yield Check("Memory", Finding.OK if enough else Finding.NOTE, found, advice)
    folder = _nearest_existing(data_folder())
    free = shutil.disk_usage(folder).free
    enough = free >= _DISK_NEEDED_GB * _GB
    advice = "" if enough else f"Models and recordings want {_DISK_NEEDED_GB:.0f} GB free."
    yield Check("Disk", Finding.OK if enough else Finding.NEEDED, f"{free / _GB:.1f} GB free at {folder}", advice)


def _nearest_existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def check_gpu() -> Iterator[Check]:
    """An NVIDIA GPU, and whether LiveTalk-1.3B could run on it; the embedded avatar needs none."""
    computer = look_at(models_folder())
    found = "none; the embedded avatar runs on the processor"
    if computer.gpu:
        usable = f"CUDA {computer.cuda}" if computer.usable else "not usable"
        driver = f"driver {computer.driver}" if computer.driver else "no driver's tool"
        found = f"{computer.gpu} with {computer.gpu_memory / (1 << 30):.0f} GB, {driver}, {usable}"
    yield Check("GPU", Finding.OK, found)
    yield from _check_livetalk(computer)


def _check_livetalk(computer: Computer) -> Iterator[Check]:
    """What this computer lacks for LiveTalk-1.3B, one line for each, or how it would run."""
    wanted = _settings().avatar
    found = find(wanted.weights)
    worse = Finding.NEEDED if wanted.performer == "livetalk" else Finding.NOTE
    presets = drawable(PRESETS, small_decoder="small_decoder" in found.paths or not complete(found))
    for need in needs(computer, presets, 0 if complete(found) else room(found)):
        if not need.met:
            yield Check("LiveTalk 1.3B", worse, need.words, need.advice)
            return
    best = best_preset(computer, presets)
    assert best is not None, "every need is met, and no preset fits"
    if complete(found):
        yield Check("LiveTalk 1.3B", Finding.OK, f"can run, with the preset {best.variant}")
    else:
        advice = f"Run: livetalk models fetch {NAME}"
        yield Check("LiveTalk 1.3B", worse, f"could run; {gigabytes(left(found))} of files are missing", advice)


def _settings() -> Settings:
    try:
        return load(settings_path())
    except LiveTalkError:
        return Settings()  # that they cannot be read is a line of its own


def check_models() -> Iterator[Check]:
    """Each model read and compared with what it must be."""
    for model in MODELS:
        found = verify(model)
        if found == "ready":
            yield Check(f"Model {model.name}", Finding.OK, f"{model.purpose}, {model.size / 1e6:.0f} MB")
        else:
            yield Check(
                f"Model {model.name}", Finding.NEEDED, f"{found}: {model.purpose}", "Run: livetalk models fetch"
            )


def check_avatar() -> Iterator[Check]:
    """The embedded avatar, brought up as a conversation would."""
    from core.parts import make_performer

    try:
        spec = make_performer(AvatarSettings()).spec
    except LiveTalkError as error:
        yield Check("Avatar", Finding.NEEDED, error.title, error.advice)
    else:
        yield Check("Avatar", Finding.OK, f"{spec.name}, {spec.width}x{spec.height} at {spec.fps} frames a second")


def check_keyring() -> Iterator[Check]:
    """Where an endpoint's key would be kept."""
    if keyring := system_keyring():
        yield Check("Keyring", Finding.OK, type(keyring).__module__.rsplit(".", 1)[-1])
    else:
        advice = "An endpoint's key is kept until you quit; LIVETALK_API_KEY works too."
        yield Check("Keyring", Finding.NOTE, "none", advice)


def check_endpoint() -> Iterator[Check]:
    """Whether the endpoint that is set answers a short question, with the key that is kept."""
    try:
        settings = with_environment(load(settings_path()), os.environ)
    except LiveTalkError as error:
        yield Check("Settings", Finding.NOTE, error.title, error.advice)
        return
    wanted = settings.dialogue
    if not (wanted.url and wanted.use_endpoint):
        yield Check("Endpoint", Finding.OK, "none set; the built-in companion answers")
        return
    from core.dialogue.connect import try_settings
    from core.parts import companion_voice

    try:
        report = try_settings(wanted, endpoint_key, companion_voice(settings, settings.avatar.portrait))
    except LiveTalkError as error:
        yield Check("Endpoint", Finding.NEEDED, error.title, error.advice)
    else:
        what = "first sound" if report.with_sound else "first words, no sound"
        yield Check("Endpoint", Finding.OK, f"{report.model} at {wanted.url}, {what} after {report.seconds:.1f} s")
