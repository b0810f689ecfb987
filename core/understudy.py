"""Understudy: what takes the place of a part that cannot be had, so that the conversation goes on without it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.errors import LiveTalkError
from core.events import Failed
from core.performer.still import StillPerformer

if TYPE_CHECKING:
    from core.events import Emit
    from core.hearing import Listener
    from core.media import MediaFormat
    from core.performer.protocol import Performer, PerformerSpec
    from core.session_parts import Parts
    from core.settings import Settings

log = logging.getLogger(__name__)


def load_performer(parts: Parts, settings: Settings, media: MediaFormat, emit: Emit) -> Performer:
    """The chosen performer, of which the grid is `media`; when it cannot be loaded the person is told, and another
    takes its place. Renderer's thread."""
    try:
        performer = parts.performer(settings)
    except LiveTalkError as error:
        emit(Failed.of(error))
        return load_lesser(parts, settings, media, None)
    spec = performer.spec
    assert (spec.fps, spec.sample_rate) == (media.fps, media.sample_rate), f"{spec.name}: {media}"
    return performer


def load_lesser(parts: Parts, settings: Settings, media: MediaFormat, spec: PerformerSpec | None) -> Performer:
    """In place of the performer of `spec`, or of one that was not even loaded (None); the portrait stays still where
    nothing else can act. Renderer's thread."""
    if parts.lesser is None:
        return StillPerformer(media)
    try:
        return parts.lesser(settings, spec)
    except LiveTalkError as error:
        log.warning("no other performer: %s %s", error, error.detail)
        return StillPerformer(media)


def load_listener(parts: Parts, emit: Emit) -> Listener:
    """The voice detector; without its model the avatar is deaf, says so, and reads what is typed."""
    try:
        return parts.vad()
    except LiveTalkError as error:
        emit(Failed.of(error))
        return _Deaf()


class _Deaf:
    """Hears nothing: there is no voice detector."""

    def __call__(self, chunk: object) -> float:
        return 0.0

    def reset(self) -> None:
        pass
