"""What the sheets ask of the rest of the program: devices, tests, folders, saved conversations."""

from __future__ import annotations

import platform
import tempfile
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QCoreApplication, QThreadPool, QUrl, qVersion
from PySide6.QtGui import QDesktopServices

from app.history_sheet import HistoryServices
from app.performer_cards import performer_cards
from app.settings_services import SettingsServices, SoundDevices
from app.status_pill import meter_level
from core.dialogue.profile import known_profiles, own_profiles_path
from core.errors import DeviceError, LiveTalkError, Problem, RecordingError
from core.media import MEDIA_RATE, Turn
from core.settings import changed, conversations_folder, models_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.keys import KeyStore
    from app.main_window import MainWindow
    from app.model_fetch import ModelFetch
    from core.dialogue.connect import KeyOf
    from core.dialogue.probe import EndpointReport
    from core.media import Samples
    from core.settings import DialogueSettings, Settings

_CHIME_S = 0.6
_SAMPLE_LIMIT_S = 20.0


def settings_services(
    window: MainWindow, keys: KeyStore, key_changed: Callable[[], None], fetching: ModelFetch, version: str
) -> SettingsServices:
    """The dialog's services, for the settings in force in `window`."""
    return SettingsServices(
        keys=keys,
        key_changed=key_changed,
        test_endpoint=lambda wanted, key: _test_endpoint(wanted, _typed(keys, wanted.url, key), window.settings),
        endpoint_kinds=_endpoint_kinds,
        own_kinds=own_profiles_path(),
        listen=lambda voice: _listen(window.settings, keys.key_of, voice),
        list_devices=_list_devices,
        test_microphone=_OpenMicrophone,
        hush=window.hush,
        test_loudspeaker=_chime,
        performers=performer_cards,
        fetching=fetching,
        check_folder=_check_folder,
        figures_shown=lambda: window.overlay_shown,
        show_figures=lambda on: window.toggle_overlay() if on != window.overlay_shown else None,
        open_folder=show_folder,
        models_folder=models_folder(),
        conversations_folder=conversations_folder(),
        versions=(("LiveTalk", version), ("Python", platform.python_version()), ("Qt", qVersion() or "")),
    )


def history_services() -> HistoryServices:
    """Saved conversations on this computer; what is deleted can be taken back until the program ends."""
    from core.dialogue import history

    return HistoryServices(
        list_earlier=lambda: history.list_conversations(conversations_folder()),
        delete=history.delete,
        restore=history.restore,
    )


def show_folder(path: Path) -> None:
    """Open a folder, or the one a file lies in, in the system's file browser."""
    folder = path if path.is_dir() else path.parent
    folder.mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _test_endpoint(wanted: DialogueSettings, key_of: KeyOf, settings: Settings) -> EndpointReport:
    from core.dialogue.connect import try_settings
    from core.parts import companion_voice

    return try_settings(wanted, key_of, companion_voice(settings, settings.avatar.portrait))


def _endpoint_kinds() -> list[tuple[str, str]]:
    return [(profile.key, profile.title) for profile in known_profiles().values()]


def _typed(keys: KeyStore, url: str, key: str) -> KeyOf:
    """The keys that are kept, and the one that is typed for the endpoint at `url`."""
    return lambda address, service: key if address == url and not service else keys.key_of(address, service)


def _list_devices() -> SoundDevices:
    from core.audio.portaudio import list_devices

    found = list_devices()
    return SoundDevices(found.microphones, found.loudspeakers)


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        tr = QCoreApplication.translate
        raise RecordingError(
            Problem.FOLDER_UNWRITABLE,
            tr("Message", 'Recordings can\'t be written to "{folder}".').format(folder=folder),
            tr("Message", "Choose another folder."),
            detail=str(error),
        ) from error


def _no_sound(problem: Problem) -> DeviceError:
    tr = QCoreApplication.translate
    titles = {
        Problem.NO_MICROPHONE: tr("Message", "This microphone could not be opened."),
        Problem.NO_LOUDSPEAKER: tr("Message", "This loudspeaker could not be opened."),
    }
    return DeviceError(problem, titles[problem], tr("Message", "Connect it again, or choose another one."))


class _OpenMicrophone:
    """A microphone beside the conversation, for the test in Settings."""

    def __init__(self, name: str) -> None:
        from core.audio.portaudio import open_microphone

        opened = open_microphone(name, time.perf_counter)
        if opened is None:
            raise _no_sound(Problem.NO_MICROPHONE)
        self._microphone = opened
        self._level = 0.0

    def level(self) -> float:
        heard = self._microphone.take()
        if len(heard):
            self._level = meter_level(float(np.sqrt(np.mean(np.square(heard)))))
        return self._level

    def close(self) -> None:
        """On a pool thread, because another device may be opening just then."""
        QThreadPool.globalInstance().start(self._microphone.close)


def _chime(loudspeaker: str, volume: float) -> None:
    """Two soft notes."""
    at = np.arange(round(_CHIME_S * MEDIA_RATE), dtype=np.float32) / MEDIA_RATE
    envelope = np.minimum(1.0, at / 0.02) * np.exp(-5 * at)
    notes = np.sin(2 * np.pi * 523.25 * at) + np.sin(2 * np.pi * 783.99 * np.maximum(0.0, at - 0.15))
    _play((0.2 * volume * envelope * notes).astype(np.float32), loudspeaker)


def _play(samples: Samples, loudspeaker: str) -> None:
    from core.audio.portaudio import play

    if not play(samples, loudspeaker):
        raise _no_sound(Problem.NO_LOUDSPEAKER)


def _listen(settings: Settings, key_of: KeyOf, voice: str) -> None:
    """Let whoever would answer say one sentence in `voice`."""
    from core.parts import product_parts

    settings = changed(settings, "dialogue", voice=voice)
    dialogue = product_parts(key_of).dialogue(settings, settings.avatar.portrait)
    reply = _Sample(Turn(0, "Say hello in one short sentence."))
    try:
        dialogue.start(reply.turn, (), reply)
        samples = reply.wait()
    finally:
        reply.turn.cancel()
        dialogue.close()
    _play(samples * settings.audio.volume, settings.audio.loudspeaker)


class _Sample:
    """Collects one reply."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self._pieces: list[Samples] = []
        self._error: LiveTalkError | None = None
        self._over = threading.Event()

    def user_said(self, text: str) -> None: ...

    def worded(self) -> None: ...

    def anew(self) -> None: ...

    def tell(self, error: LiveTalkError) -> None: ...

    def aside(self, samples: Samples, text: str) -> bool:
        return True

    def speak(self, samples: Samples, text: str) -> bool:
        self._pieces.append(samples)
        return True

    def finish(self, verdict: object = None) -> None:
        self._over.set()

    def fail(self, error: LiveTalkError) -> None:
        self._error = error
        self._over.set()

    def wait(self) -> Samples:
        """All of it, once it is complete or has taken too long."""
        self._over.wait(_SAMPLE_LIMIT_S)
        if self._error is not None:
            raise self._error
        return np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)
