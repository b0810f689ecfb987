"""Settings survive what happens to files, and never hold a secret."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING

import msgspec
import pytest

from core.errors import Problem, SettingsError
from core.settings import (
    SCHEMA,
    Settings,
    changed,
    conversations_folder,
    live_only,
    load,
    save,
    set_aside,
    with_environment,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.toml"
    settings = changed(Settings(), "dialogue", url="http://localhost:8091/v1", model="Qwen3-Omni")
    settings = changed(settings, "avatar", recent=("/a.png", "/b.png"))
    save(settings, path)
    assert load(path) == settings
    assert [left.name for left in path.parent.iterdir()] == ["settings.toml"]


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "settings.toml") == Settings()


@pytest.mark.parametrize(
    "text",
    [
        "not toml at all [",
        'schema = 1\n[audio]\nvolume = "loud"\n',
        "schema = 1\n[audio]\nvolum = 1.0\n",
        "schema = -3\n",
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as broken:
        load(path)
    assert broken.value.problem is Problem.SETTINGS_BROKEN
    assert set_aside(path).read_text() == text
    assert load(path) == Settings()
    path.write_text(text)
    assert set_aside(path).name == "settings.broken2.toml"


def test_the_path_of_a_wrong_value_is_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("schema = 1\n[audio]\nvolume = 7.0\n")
    with pytest.raises(SettingsError) as broken:
        load(path)
    assert "$.audio.volume" in broken.value.detail


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"schema = {SCHEMA + 1}\n[audio]\nspatial = true\n")
    with pytest.raises(SettingsError) as newer:
        load(path)
    assert newer.value.problem is Problem.SETTINGS_NEWER


def test_the_environment_overrules_the_file_for_this_run() -> None:
    settings = with_environment(Settings(), {"LIVETALK_ENDPOINT": "http://localhost/v1", "LIVETALK_VOICE": ""})
    assert settings.dialogue.url == "http://localhost/v1"
    assert settings.dialogue.voice == ""


def test_volume_and_options_are_live_and_devices_are_not() -> None:
    settings = Settings()
    assert live_only(settings, changed(settings, "audio", volume=0.3, muted=True))
    assert live_only(settings, changed(settings, "window", always_on_top=True))
    assert not live_only(settings, changed(settings, "audio", microphone="Jabra"))
    assert not live_only(settings, changed(settings, "dialogue", model="other"))


def test_another_performer_needs_a_new_session_and_its_folder_only_where_it_has_one() -> None:
    portrait = Settings()
    livetalk = changed(portrait, "avatar", performer="livetalk")
    assert not live_only(portrait, livetalk)
    assert live_only(portrait, changed(portrait, "avatar", weights="/weights"))
    assert not live_only(livetalk, changed(livetalk, "avatar", weights="/weights"))
    assert live_only(portrait, changed(portrait, "avatar", preset="low"))
    assert not live_only(livetalk, changed(livetalk, "avatar", preset="low"))


def test_the_file_has_no_place_for_a_key(tmp_path: Path) -> None:
    save(Settings(), tmp_path / "settings.toml")
    tree = tomllib.loads((tmp_path / "settings.toml").read_text())
    names = {name for branch in tree.values() if isinstance(branch, dict) for name in branch}
    assert not {name for name in names if "key" in name or "token" in name or "secret" in name}


def test_an_unwritable_folder_is_said_in_words(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SettingsError) as refused:
        save(Settings(), blocked / "settings.toml")
    assert refused.value.problem is Problem.SETTINGS_UNWRITABLE


def test_conversations_lie_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIVETALK_DATA", str(tmp_path))
    assert conversations_folder() == tmp_path / "conversations"


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        Settings().audio.volume = 0.1
    assert msgspec.structs.asdict(Settings())["schema"] == SCHEMA


def test_a_save_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").mkdir()
    with pytest.raises(SettingsError):
        save(Settings(), tmp_path / "settings.toml")

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError):
        save(Settings(), tmp_path / "other.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]
