"""From a folder to a performer that runs: which model lies there, which preset fits this computer, and loading it."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import msgspec

from core.errors import PerformerError, Problem
from core.performer.device import choose_device
from core.performer.livetalk.files import find, own_folder
from core.performer.livetalk.model import load_model
from core.performer.livetalk.performer import LiveTalkPerformer
from core.performer.livetalk.pipeline import in_words
from core.performer.livetalk.spec import LIVETALK_1_3B, PRESETS, LiveTalkSpec, ModelFiles, Preset
from core.performer.livetalk.whereabouts import FacePlaces
from core.performer.preflight import choose, drawable, look_at
from core.settings import data_folder, models_folder

PROMPTS = "prompts"
"""Where encoded prompts are kept: with them the text encoder's 11 GB may go."""
SPEC = "spec.json"
"""Beside weights of another size than the released one: its spec, and nothing else. Their files have fixed names."""


def open_performer(
    weights: str, style: str = "", wanted: str = "auto", below_mb: int | None = None
) -> LiveTalkPerformer:
    """The performer whose files lie in the folder `weights`, or where fetched files lie; call on the renderer thread.

    Args:
        wanted: the name of a preset, and no other is taken; "auto" takes the best that fits.
        below_mb: with "auto", only those that need less.

    Raises:
        PerformerError: files are missing, damaged or another model's; there is no preset of that name.
        PerformerUnfit: no preset fits this computer, or not the one that is wanted.
    """
    gc.collect()  # what a performer before this one held
    spec, files = files_in(weights)
    if wanted == "auto":
        presets = [preset for preset in PRESETS if below_mb is None or preset.memory_mb < below_mb]
        presets = drawable(presets, small_decoder=files.small_decoder is not None)
    else:
        presets = [preset_called(wanted)]
    if not presets:
        raise PerformerError(
            Problem.GPU_UNSUITABLE,
            "No preset of LiveTalk 1.3B needs less memory.",
            "Close other programs that use the GPU, or choose Portrait, which needs none.",
        )
    with in_words(presets[0]):
        device = choose_device()
        device.release()
        preset = choose(look_at(own_folder()), presets) if spec is LIVETALK_1_3B else presets[0]
    with in_words(preset):
        model = load_model(spec, files, preset, device, data_folder() / PROMPTS, style)
        faces = FacePlaces(models_folder() / "face", data_folder() / "avatars")
        return LiveTalkPerformer(model, device, style, faces)


def preset_called(name: str) -> Preset:
    """Raises: PerformerError: there is none of that name."""
    for preset in PRESETS:
        if preset.name == name:
            return preset
    raise PerformerError(
        Problem.MODEL_MISSING,
        f"There is no preset called “{name}”.",
        f"There are auto, {', '.join(preset.name for preset in PRESETS)}.",
    )


def files_in(weights: str) -> tuple[LiveTalkSpec, ModelFiles]:
    """Which model, and its files: what the spec beside them says, else the released one."""
    folder = Path(weights) if weights else None
    if folder is None or not (folder / SPEC).is_file():
        found = find(weights)
        return LIVETALK_1_3B, found.files(text_needed=not (data_folder() / PROMPTS).is_dir() or "text" in found.paths)
    try:
        spec = msgspec.convert(json.loads((folder / SPEC).read_text("utf-8")), LiveTalkSpec)
    except (OSError, ValueError, msgspec.ValidationError) as broken:
        raise PerformerError(
            Problem.MODEL_DAMAGED,
            f"The description “{SPEC}” of the model in {folder} cannot be read.",
            "It tells the sizes of a model other than the released one; write it anew, or take it away.",
            detail=str(broken),
        ) from broken
    small = folder / "small_decoder.safetensors"
    return spec, ModelFiles(
        transformer=folder / "transformer.safetensors",
        vae=folder / "vae.safetensors",
        audio=folder / "audio.safetensors",
        text=folder / "text.safetensors",
        tokenizer=folder / "tokenizer",
        small_decoder=small if small.is_file() else None,
    )
