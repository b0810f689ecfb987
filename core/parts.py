"""The product's own parts: which performer, dialogue, device and listener a session of these settings gets."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import PerformerError, Problem
from core.session import Parts
from core.settings import assets_folder, models_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.audio.device import SoundDevice
    from core.conversation import Listener
    from core.dialogue.protocol import Dialogue
    from core.media import Pixels
    from core.performer.protocol import Performer
    from core.settings import AvatarSettings, Settings


def product_parts(
    key: Callable[[], str] = lambda: "", device: Callable[[Settings], SoundDevice] | None = None
) -> Parts:
    """Everything real. `key` gives the endpoint's key when a session begins; `device` replaces the sound device.

    Heavy libraries are imported by the part that needs them, on the thread that makes it.
    """
    return Parts(
        performer=lambda settings: make_performer(settings.avatar),
        picture=portrait,
        portrait_name=portrait_name,
        dialogue=lambda settings, name: _dialogue(settings, name, key()),
        built_in=_built_in,
        device=device or _sound_device,
        vad=_vad,
        now=time.perf_counter,
    )


def shipped_portraits() -> dict[str, tuple[str, Path]]:
    """Key -> (name, file) of the portraits that come with the program, the default first."""
    folder = assets_folder() / "portraits"
    table = tomllib.loads((folder / "portraits.toml").read_text("utf-8"))
    return {entry["key"]: (entry["name"], folder / entry["file"]) for entry in table["portrait"]}


def portrait(key: str) -> Pixels:
    """Pixels of a shipped portrait, or of the picture at that path.

    Raises:
        PerformerError: the file cannot be read as a picture.
    """
    from core.performer.portrait.identity import read_picture

    shipped = shipped_portraits().get(key)
    return read_picture(shipped[1] if shipped else Path(key))


def portrait_name(key: str) -> str:
    """What a portrait goes by: its shipped name, or the file's name made presentable."""
    shipped = shipped_portraits().get(key)
    return shipped[0] if shipped else Path(key).stem.replace("_", " ").replace("-", " ").strip().title()


def make_performer(avatar: AvatarSettings) -> Performer:
    """The performer with this name, loaded. Call on the thread that will run it.

    Raises:
        PerformerError: its models are missing or damaged, or there is no performer of that name.
    """
    if avatar.performer != "portrait":
        raise PerformerError(
            Problem.MODEL_MISSING,
            f'There is no performer called "{avatar.performer}" here.',
            'Use "portrait", the one that is built in.',
        )
    from core.performer.portrait.performer import PortraitPerformer

    return PortraitPerformer(
        weights=assets_folder() / "models" / "portrait",
        face_models=models_folder() / "face",
        style=avatar.style,
        motion_amount=avatar.motion_amount,
    )


def _dialogue(settings: Settings, name: str, key: str) -> Dialogue:
    """The endpoint when one is set and wanted, else the companion that is built in."""
    wanted = settings.dialogue
    if not (wanted.url and wanted.use_endpoint):
        return _built_in(settings, name)
    from core.dialogue.omni import Endpoint, OmniDialogue

    return OmniDialogue(
        Endpoint(
            url=wanted.url,
            model=wanted.model,
            key=key,
            voice=wanted.voice,
            instructions=wanted.instructions,
            dialect=wanted.dialect,
        )
    )


def _built_in(settings: Settings, name: str) -> Dialogue:
    from core.dialogue.embedded import EmbeddedDialogue

    return EmbeddedDialogue(models_folder(), name=name)


def _sound_device(settings: Settings) -> SoundDevice:
    from core.audio.hardware import PortAudioDevice

    return PortAudioDevice(settings.audio.microphone, settings.audio.loudspeaker)


def _vad() -> Listener:
    from core.listening.vad import Vad

    return Vad(models_folder() / "silero" / "silero_vad.onnx")
