"""The product's own parts: which performer, dialogue, device and listener a session of these settings gets."""

from __future__ import annotations

import logging
import threading
import time
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core.errors import LiveTalkError, PerformerError, Problem
from core.listening.finished import LEAST_SURE, Words
from core.listening.judge import is_padded
from core.media import MediaFormat
from core.session_parts import Parts
from core.settings import assets_folder, models_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.audio.device import SoundDevice
    from core.dialogue.abilities import Ears
    from core.dialogue.connect import KeyOf
    from core.dialogue.protocol import Dialogue
    from core.dialogue.recognizer import Heard, Recognizer
    from core.hearing import Listener
    from core.media import AudioChunk, Pixels, Samples
    from core.performer.protocol import Performer, PerformerSpec
    from core.settings import AvatarSettings, Settings

log = logging.getLogger(__name__)


def product_parts(key_of: KeyOf = lambda _, __: "", device: Callable[[Settings], SoundDevice] | None = None) -> Parts:
    """Everything real. `key_of` gives the key for an address when a session begins; `device` replaces the sound device.

    Heavy libraries are imported by the part that needs them, on the thread that makes it.
    """
    transcribe = _Transcriber(models_folder() / "moonshine")
    return Parts(
        performer=lambda settings: make_performer(settings.avatar),
        lesser=lambda settings, spec: make_lesser(settings.avatar, spec),
        picture=portrait,
        portrait_name=portrait_name,
        dialogue=lambda settings, portrait_key: _dialogue(settings, portrait_key, key_of, transcribe),
        built_in=lambda settings, portrait_key: _built_in(settings, portrait_key, transcribe),
        introduce=_introduce,
        media=_media,
        device=device or _sound_device,
        vad=_vad,
        transcribe=transcribe,
        ending=_ending,
        understand=transcribe.understand,
        drafts=lambda settings: bool(settings.dialogue.url and settings.dialogue.use_endpoint),
        now=time.perf_counter,
    )


@dataclass(frozen=True)
class ShippedPortrait:
    """A portrait that comes with the program; `voice` is the companion's voice that suits it."""

    key: str
    name: str
    path: Path
    voice: str


def shipped_portraits() -> dict[str, ShippedPortrait]:
    """By key, the default first."""
    folder = assets_folder() / "portraits"
    table = tomllib.loads((folder / "portraits.toml").read_text("utf-8"))
    return {
        entry["key"]: ShippedPortrait(entry["key"], entry["name"], folder / entry["file"], entry["voice"])
        for entry in table["portrait"]
    }


def portrait(key: str) -> Pixels:
    """Pixels of a shipped portrait, or of the picture at that path.

    Raises:
        PerformerError: the file cannot be read as a picture.
    """
    from core.performer.portrait.identity import read_picture

    shipped = shipped_portraits().get(key)
    return read_picture(shipped.path if shipped else Path(key))


def portrait_name(key: str) -> str:
    """What a portrait goes by: its shipped name, or the file's name made presentable."""
    shipped = shipped_portraits().get(key)
    return shipped.name if shipped else Path(key).stem.replace("_", " ").replace("-", " ").strip().title()


def _media(settings: Settings) -> MediaFormat:
    """Both performers keep the rate of the dialogue's sound; each has frames of its own."""
    if settings.avatar.performer != "livetalk":
        return MediaFormat()
    from core.performer.livetalk.spec import LIVETALK_1_3B

    return MediaFormat(LIVETALK_1_3B.sample_rate, LIVETALK_1_3B.fps)


def make_performer(avatar: AvatarSettings) -> Performer:
    """The performer with this name, loaded. Call on the thread that will run it.

    Raises:
        PerformerError: its models are missing or damaged, there is no performer of that name, or it cannot run here.
    """
    if avatar.performer not in ("portrait", "livetalk"):
        raise PerformerError(
            Problem.MODEL_MISSING,
            f'There is no performer called "{avatar.performer}" here.',
            'Use "portrait", the one that is built in, or "livetalk".',
        )
    from core.performer.libraries import load_libraries

    load_libraries()
    if avatar.performer == "livetalk":
        from core.performer.livetalk.opening import open_performer

        return open_performer(avatar.weights, avatar.style, avatar.preset)
    from core.performer.portrait.performer import PortraitPerformer

    return PortraitPerformer(
        weights=assets_folder() / "models" / "portrait",
        face_models=models_folder() / "face",
        style=avatar.style,
        motion_amount=avatar.motion_amount,
    )


def make_lesser(avatar: AvatarSettings, spec: PerformerSpec | None) -> Performer:
    """One that needs less than the performer of `spec`, or than the preset that was asked for where none could be
    loaded (None): a smaller preset of the same, else the portrait.

    Raises:
        PerformerError: the portrait cannot be loaded either, or it was the portrait that failed.
    """
    if avatar.performer == "portrait" or (spec is not None and spec.name == "portrait"):
        raise PerformerError(
            Problem.PICTURE_RESTARTED, "The picture stopped and does not come back.", "Start the conversation anew."
        )
    portrait_instead = msgspec.structs.replace(avatar, performer="portrait")
    if avatar.performer != "livetalk" or (spec is None and avatar.preset == "auto"):
        return make_performer(portrait_instead)
    from core.performer.livetalk.opening import open_performer, preset_called

    try:
        too_much_mb = spec.memory_mb if spec is not None else preset_called(avatar.preset).memory_mb
        return open_performer(avatar.weights, avatar.style, below_mb=too_much_mb)
    except PerformerError as error:
        log.warning("no smaller preset: %s %s", error, error.detail)
        return make_performer(portrait_instead)


def _dialogue(settings: Settings, portrait_key: str, key_of: KeyOf, transcribe: _Transcriber) -> Dialogue:
    """The endpoint when one is set and wanted, else the companion that is built in."""
    if not (settings.dialogue.url and settings.dialogue.use_endpoint):
        return _built_in(settings, portrait_key, transcribe)
    from core.dialogue.connect import connect

    return connect(settings.dialogue, key_of, transcribe, companion_voice(settings, portrait_key))


class _Transcriber:
    """The one recogniser: for the person's words while they speak, when they pause, and when they have finished. Any
    thread, one at a time; loaded with the first words. What was understood at a pause is not worked out again for
    whoever answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._recognizer: Recognizer | None = None
        self._last: tuple[Samples, Heard] | None = None

    def __call__(self, speech: AudioChunk, wanted: Callable[[], bool] = lambda: True) -> str:
        """The words; none of sound that is not clearly English."""
        words = self.understand(speech, wanted)
        return words.text if words.sure >= LEAST_SURE else ""

    def understand(self, speech: AudioChunk, wanted: Callable[[], bool]) -> Words:
        """The words and how sure they are (`core.listening.judge.Understand`)."""
        try:
            self.ears()
        except (OSError, ValueError) as error:
            raise LiveTalkError(
                Problem.MODEL_MISSING, "The speech model is missing.", "Run `make models`.", detail=str(error)
            ) from error
        heard = self._hear(speech.samples, wanted)
        return Words(heard.text, heard.confidence, heard.closing, heard.states)

    def ears(self) -> Ears:
        """The recogniser itself, loaded.

        Raises:
            OSError: a file is missing or cannot be read.
            ValueError: a file is not what it should be.
        """
        with self._lock:
            if self._recognizer is None:
                from core.dialogue.recognizer import Recognizer

                self._recognizer = Recognizer(self._folder)
        return self._hear

    def _hear(self, speech: Samples, wanted: Callable[[], bool] = lambda: True) -> Heard:
        with self._lock:
            assert self._recognizer is not None, "ears() comes first"
            if self._last and is_padded(self._last[0], speech):
                return self._last[1]
            try:
                heard = self._recognizer(speech, wanted)
            except Exception:
                self._recognizer = None  # loaded anew for the next words
                raise
            if wanted():
                self._last = (speech, heard)
            return heard


def _built_in(settings: Settings, portrait_key: str, transcribe: _Transcriber) -> Dialogue:
    from core.dialogue.embedded import EmbeddedDialogue

    voice = companion_voice(settings, portrait_key)
    name = portrait_name(portrait_key)
    return EmbeddedDialogue(models_folder(), name, datetime.now, voice=voice, ears=transcribe.ears)


def _introduce(dialogue: Dialogue, settings: Settings, portrait_key: str) -> None:
    """The companion takes the portrait's name and voice; an endpoint has its own."""
    from core.dialogue.embedded import EmbeddedDialogue

    if isinstance(dialogue, EmbeddedDialogue):
        dialogue.introduce(portrait_name(portrait_key), companion_voice(settings, portrait_key))


def companion_voice(settings: Settings, portrait_key: str) -> str:
    """The voice of this computer that suits the portrait, or the one that was chosen."""
    if settings.dialogue.companion_voice != "auto":
        return settings.dialogue.companion_voice
    shipped = shipped_portraits().get(portrait_key)
    return shipped.voice if shipped else "rms"


def _sound_device(settings: Settings) -> SoundDevice:
    from core.audio.portaudio import PortAudioDevice

    return PortAudioDevice(settings.audio.microphone, settings.audio.loudspeaker, time.perf_counter, refresh=True)


def _ending() -> Callable[[Samples], float]:
    from core.listening.ending import TurnEnding

    return TurnEnding(models_folder() / "smart-turn" / "smart-turn-v3.2-cpu.onnx")


def _vad() -> Listener:
    from core.listening.vad import Vad

    return Vad(models_folder() / "silero" / "silero_vad.onnx")
