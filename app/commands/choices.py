"""The settings of one command: the file, the environment, then what stands on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SettingsError
from core.settings import Settings, changed, load, settings_path, with_environment

if TYPE_CHECKING:
    import argparse

    from app.commands.terminal import Terminal

_OPTIONS = {
    "endpoint": ("dialogue", "url"),
    "model": ("dialogue", "model"),
    "dialect": ("dialogue", "dialect"),
    "avatar": ("avatar", "portrait"),
    "performer": ("avatar", "performer"),
    "weights": ("avatar", "weights"),
    "preset": ("avatar", "preset"),
}


def chosen_settings(options: argparse.Namespace, terminal: Terminal) -> Settings:
    """Settings as they are for this run; a file that cannot be used is told of, left alone, and does without."""
    try:
        settings = load(settings_path())
    except SettingsError as error:
        terminal.warn(error)
        settings = Settings()
    return with_options(with_environment(settings, os.environ), options)


def with_options(settings: Settings, options: argparse.Namespace) -> Settings:
    """`settings` with what the command line says; paths are made absolute."""
    for option, (branch, field) in _OPTIONS.items():
        value = getattr(options, option, None)
        if not value:
            continue
        if option in ("avatar", "weights") and Path(value).exists():
            value = str(Path(value).resolve())
        settings = changed(settings, branch, **{field: value})
        if option == "endpoint":
            settings = changed(settings, branch, use_endpoint=True)
    return settings


def endpoint_key(url: str, service: bool = False) -> str:
    """The key for an address, from the environment or the system's keyring."""
    from app.keys import KeyStore, system_keyring

    keys = KeyStore(os.environ, system_keyring())
    keys.load(url)
    return keys.key_of(url, service)
