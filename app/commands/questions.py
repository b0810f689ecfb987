"""Spoken questions for the demo and the bench, made by a voice of this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import soundfile

from core.dialogue.voice import VoiceFailed, find_voice
from core.errors import LiveTalkError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_VOICE = "slt"
"""Another one than the companion's, so that two people can be heard."""


def speak_questions(questions: Sequence[str], folder: Path) -> list[Path]:
    """One wav in `folder` for each of `questions`.

    Raises:
        LiveTalkError: there is no voice on this computer.
    """
    voice = find_voice(_VOICE)
    if voice is None:
        raise _no_voice("neither flite nor espeak-ng")
    paths: list[Path] = []
    for number, question in enumerate(questions, 1):
        try:
            spoken = voice.say(question)
        except VoiceFailed as error:
            raise _no_voice(str(error)) from error
        path = folder / f"question-{number}.wav"
        soundfile.write(path, spoken.samples, spoken.rate)
        paths.append(path)
    return paths


def _no_voice(detail: str) -> LiveTalkError:
    return LiveTalkError(
        Problem.MODEL_MISSING,
        "No voice was found on this computer.",
        "Run: sudo apt-get install flite",
        detail=detail,
    )
