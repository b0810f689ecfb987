"""Settings: one frozen, typed tree in one TOML file; written migrations, no secrets.

Precedence: defaults < file < environment (`ENVIRONMENT`) < command line. Keys live in the keyring or the environment
(`app.keys`), window geometry in QSettings. A change makes a new object; `live_only` tells which changes do not need a
new session.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import msgspec
import platformdirs
import tomli_w

from core.cache_file import write_whole
from core.errors import Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA = 1
Unit = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Preset = Literal["auto", "quality", "fast", "fastest", "low"]
"""How a performer that imagines the whole picture is run; "auto" is the best that the GPU has room for."""
PRESETS: tuple[Preset, ...] = get_args(Preset)


class _Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class AudioSettings(_Node, frozen=True):
    """Devices by name as the system calls them; empty means the system's default."""

    microphone: str = ""
    loudspeaker: str = ""
    volume: Unit = 1.0
    muted: bool = False
    microphone_on: bool = True
    echo: Literal["auto", "cancel", "half_duplex", "off"] = "auto"


class ListeningSettings(_Node, frozen=True):
    """`sensitivity` 0..1 moves the voice threshold; `silence_ms` of quiet ends a turn."""

    sensitivity: Unit = 0.5
    silence_ms: Annotated[int, msgspec.Meta(ge=200, le=5000)] = 500
    hold_to_talk: bool = False


class DialogueSettings(_Node, frozen=True):
    """Who answers. `url` empty means the built-in companion.

    `dialect` is "auto" or the key of a profile (`assets/endpoints.toml`, or endpoints.toml beside the settings).
    `transcription_*` and `speech_*` are the services that hear and speak for a model that only writes; empty means the
    endpoint itself, or this computer where the endpoint has none.
    """

    url: str = ""
    model: str = ""
    voice: str = ""
    instructions: str = ""
    dialect: str = "auto"
    use_endpoint: bool = True
    transcription_url: str = ""
    transcription_model: str = ""
    speech_url: str = ""
    speech_model: str = ""
    write_down: Literal["auto", "here"] = "auto"
    """Who writes down what the person said: this computer, and what it cannot make out the endpoint ("auto")."""
    companion_voice: Literal["auto", "rms", "slt"] = "auto"
    """The built-in companion's: what suits the portrait, a man's (rms) or a woman's (slt)."""


class AvatarSettings(_Node, frozen=True):
    """`portrait` is a shipped name ("amara") or an absolute path; `recent` are pictures used before, newest first.
    `weights` is a folder that the performer's files lie in; empty, they are where LiveTalk keeps its models. `preset`
    and `motion_amount` are each for the performers that have such a choice."""

    portrait: str = "amara"
    recent: tuple[str, ...] = ()
    performer: str = "portrait"
    weights: str = ""
    preset: Preset = "auto"
    motion_amount: Unit = 0.5
    style: str = ""


class RecordingSettings(_Node, frozen=True):
    """`folder` empty means LiveTalk in the system's video folder."""

    folder: str = ""


class PrivacySettings(_Node, frozen=True):
    save_conversations: bool = True


class WindowSettings(_Node, frozen=True):
    always_on_top: bool = False
    subtitles: bool = True
    reduce_motion: bool = False
    raster: bool = False
    greeted: bool = False
    offer_dismissed: bool = False


class Settings(_Node, frozen=True):
    """Everything the person can choose."""

    schema: int = SCHEMA
    audio: AudioSettings = AudioSettings()
    listening: ListeningSettings = ListeningSettings()
    dialogue: DialogueSettings = DialogueSettings()
    avatar: AvatarSettings = AvatarSettings()
    recording: RecordingSettings = RecordingSettings()
    privacy: PrivacySettings = PrivacySettings()
    window: WindowSettings = WindowSettings()


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From schema n to n + 1, each a pure function of the plain tree."""

ENVIRONMENT = {
    "LIVETALK_ENDPOINT": ("dialogue", "url"),
    "LIVETALK_MODEL": ("dialogue", "model"),
    "LIVETALK_VOICE": ("dialogue", "voice"),
    "LIVETALK_AVATAR": ("avatar", "portrait"),
}
"""Environment variables that overrule the file for this run, and the fields they set. They are never written back."""


def config_folder() -> Path:
    """Where settings live; `LIVETALK_CONFIG` overrides it (tests, portable use)."""
    return Path(os.environ.get("LIVETALK_CONFIG") or platformdirs.user_config_dir("LiveTalk", appauthor=False))


def data_folder() -> Path:
    """Where models, conversations and cached identities live; `LIVETALK_DATA` overrides it."""
    return Path(os.environ.get("LIVETALK_DATA") or platformdirs.user_data_dir("LiveTalk", appauthor=False))


def cache_folder() -> Path:
    """Where lies what can be found out again; `LIVETALK_CACHE` overrides it."""
    return Path(os.environ.get("LIVETALK_CACHE") or platformdirs.user_cache_dir("LiveTalk", appauthor=False))


def models_folder() -> Path:
    """Where the models that come inside packages are kept; `LIVETALK_MODELS` overrides it."""
    return Path(os.environ.get("LIVETALK_MODELS") or data_folder() / "models")


def conversations_folder() -> Path:
    """Where conversations that are not private are kept."""
    return data_folder() / "conversations"


def assets_folder() -> Path:
    """What is shipped with the program: portraits, weights, icons, shaders."""
    return Path(__file__).resolve().parent.parent / "assets"


def recording_folder(settings: RecordingSettings) -> Path:
    return Path(settings.folder) if settings.folder else Path(platformdirs.user_videos_dir()) / "LiveTalk"


def settings_path() -> Path:
    return config_folder() / "settings.toml"


def load(path: Path) -> Settings:
    """The settings in `path`, defaults when there is no such file.

    Raises:
        SettingsError: unreadable (`SETTINGS_BROKEN`) or written by a newer version (`SETTINGS_NEWER`). The file is
            untouched; `set_aside` moves it out of the way.
    """
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _broken(str(error)) from error
    schema = tree.get("schema", 1)
    if isinstance(schema, int) and schema > SCHEMA:
        raise SettingsError(
            Problem.SETTINGS_NEWER,
            "Your settings were written by a newer LiveTalk, so LiveTalk started with its own.",
            "Your file was kept. Update LiveTalk to use it again; what you change now lasts until LiveTalk closes.",
            detail=f"schema {schema} is newer than {SCHEMA}",
        )
    try:
        while isinstance(schema, int) and schema < SCHEMA:
            tree = _MIGRATIONS[schema](tree)
            schema += 1
            tree["schema"] = schema
        return msgspec.convert(tree, Settings)
    except (msgspec.ValidationError, KeyError) as error:
        raise _broken(str(error)) from error


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be used, never over an older one that was kept; returns where it lies."""
    for number in range(1, 1000):
        suffix = ".broken" if number == 1 else f".broken{number}"
        kept = path.with_name(path.stem + suffix + path.suffix)
        if not kept.exists():
            path.replace(kept)
            return kept
    raise FileExistsError(f"a thousand broken settings files beside {path}")


def save(settings: Settings, path: Path) -> None:
    """Write atomically: the file is the old one or the new one, never half of either.

    Raises:
        SettingsError: the folder cannot be written.
    """
    try:
        write_whole(path, tomli_w.dumps(msgspec.to_builtins(settings)).encode(), lasting=True)
    except OSError as error:
        raise SettingsError(
            Problem.SETTINGS_UNWRITABLE,
            "Your settings could not be saved.",
            f'Changes last until LiveTalk closes. Check that "{path.parent}" can be written.',
            detail=str(error),
        ) from error


def with_environment(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """`settings` with what `ENVIRONMENT` names taken from `environment`."""
    for name, (branch, field) in ENVIRONMENT.items():
        if value := environment.get(name):
            settings = changed(settings, branch, **{field: value})
    return settings


def changed(settings: Settings, branch: str, **fields: Any) -> Settings:
    """`settings` with `fields` of one branch replaced, e.g. ``changed(settings, "audio", volume=0.5)``."""
    node = msgspec.structs.replace(getattr(settings, branch), **fields)
    return msgspec.structs.replace(settings, **{branch: node})


def live_only(old: Settings, new: Settings) -> bool:
    """True when going from `old` to `new` needs no new session: volume, mute, microphone switch, listening rules,
    how the portrait behaves, recording, privacy and window options."""
    quiet = msgspec.structs.replace(
        new.audio, volume=old.audio.volume, muted=old.audio.muted, microphone_on=old.audio.microphone_on
    )
    files = [(tree.avatar.weights, tree.avatar.preset) for tree in (old, new)]
    same_model = files[0] == files[1] or new.avatar.performer == "portrait"
    same_picture = new.avatar.performer == old.avatar.performer and same_model
    return quiet == old.audio and new.dialogue == old.dialogue and same_picture


def _broken(detail: str) -> SettingsError:
    return SettingsError(
        Problem.SETTINGS_BROKEN,
        "Your settings could not be read, so LiveTalk started with its own.",
        "The file was left as it is.",
        detail=detail,
    )
