"""What the settings dialog asks of the rest of the app, so that the dialog itself does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from app.keys import KeyStore
    from app.model_fetch import ModelFetch
    from core.dialogue.probe import EndpointReport
    from core.settings import DialogueSettings


@dataclass(frozen=True)
class SoundDevices:
    """Names as the system calls them, in its order."""

    microphones: Sequence[str]
    loudspeakers: Sequence[str]


class MicrophoneTest(Protocol):
    """An open microphone. Both methods are called from the GUI thread and return at once."""

    def level(self) -> float:
        """How loud it is, 0..1 as on the meter of the status pill."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Requirement:
    """One thing a performer needs. `words` say what, and what this computer has."""

    words: str
    met: bool


@dataclass(frozen=True)
class Download:
    """Files of a performer that can be fetched: `left` bytes are still to come. `terms` have to be accepted first;
    empty, they were."""

    left: int
    begun: bool
    terms: str = ""


@dataclass(frozen=True)
class PresetChoice:
    """A way to run a performer. `key` is the value of `AvatarSettings.preset`; one that is not `possible` says in
    `words` why."""

    key: str
    name: str
    words: str
    possible: bool = True


@dataclass(frozen=True)
class PerformerCard:
    """A way to draw the avatar. `key` is the value of `AvatarSettings.performer`; `needs` is the longer answer to
    "What do I need?", empty when this computer can do it; `download` is there where only files are missing.

    `presets` are the ways to run it, where there are several; `motion` says why the amount of motion does nothing,
    where it does not; `manners` is how many words of a manner it follows.
    """

    key: str
    name: str
    gives: str
    requirements: Sequence[Requirement]
    selectable: bool
    needs: str = ""
    licence: str = ""
    download: Download | None = None
    presets: Sequence[PresetChoice] = ()
    motion: str = ""
    manners: int = 2


@dataclass(frozen=True)
class SettingsServices:
    """Functions and facts given by `app.main`.

    Those marked *worker* may take time, run on a pool thread and raise `LiveTalkError`; the others return at once.
    """

    keys: KeyStore
    key_changed: Callable[[], None]
    """Called when `keys` holds another key."""
    test_endpoint: Callable[[DialogueSettings, str], EndpointReport]
    """worker: ask the endpoint of these settings, with this key, and the speech services where it needs them."""
    endpoint_kinds: Callable[[], Sequence[tuple[str, str]]]
    """Key and title of every kind of endpoint, the person's own first; raises `SettingsError` where their file cannot
    be read."""
    own_kinds: Path
    """The file in which a person describes kinds of their own, whether it is there or not."""
    listen: Callable[[str], None]
    """worker: say a short sentence in this voice, return when it was said."""
    list_devices: Callable[[], SoundDevices]
    """worker."""
    test_microphone: Callable[[str], MicrophoneTest]
    """worker: open this microphone (empty: the system's) beside the conversation."""
    hush: Callable[[bool], None]
    """The conversation hears nothing as long as this is True."""
    test_loudspeaker: Callable[[str, float], None]
    """worker: play a short sound at this volume, return when it has sounded."""
    performers: Callable[[str], Sequence[PerformerCard]]
    """worker: with the files that are in this folder of the person's own, empty for none."""
    fetching: ModelFetch
    check_folder: Callable[[Path], None]
    """worker: raises when recordings cannot be written there."""
    figures_shown: Callable[[], bool]
    show_figures: Callable[[bool], None]
    """The overlay (F3)."""
    open_folder: Callable[[Path], None]
    models_folder: Path
    conversations_folder: Path
    versions: Sequence[tuple[str, str]]
    """What this program is made of: name and version, LiveTalk first."""
