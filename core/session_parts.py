"""Parts: where a session has its parts from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.audio.device import SoundDevice
    from core.dialogue.protocol import Dialogue
    from core.hearing import Listener
    from core.listening.judge import Understand
    from core.media import MediaFormat, Pixels, Samples
    from core.performer.protocol import Performer, PerformerSpec
    from core.scribe import Transcribe
    from core.settings import Settings


@dataclass(frozen=True)
class Parts:
    """What a session is built from; the product's are in `core.parts`, tests bring their own.

    Each is called once, on the thread that will own the part: `performer` on the renderer's, `vad` and the others on
    the thread that starts the session.
    """

    performer: Callable[[Settings], Performer]
    picture: Callable[[str], Pixels]
    """A portrait's pixels, from its key (a shipped name or a path)."""
    portrait_name: Callable[[str], str]
    dialogue: Callable[[Settings, str], Dialogue]
    """Who answers with these settings, behind the portrait with this key."""
    built_in: Callable[[Settings, str], Dialogue]
    """The companion, whatever the settings say."""
    introduce: Callable[[Dialogue, Settings, str], None]
    """Whoever answers speaks as the portrait with this key from the next turn on."""
    media: Callable[[Settings], MediaFormat]
    """The grid of sound and picture that the chosen performer keeps."""
    device: Callable[[Settings], SoundDevice]
    vad: Callable[[], Listener]
    transcribe: Transcribe
    """The person's words while they speak; called on the thread "scribe"."""
    lesser: Callable[[Settings, PerformerSpec | None], Performer] | None = None
    """What acts in place of the chosen performer when it cannot be loaded (None), or that of the spec cannot go on;
    called on the renderer's thread."""
    ending: Callable[[], Callable[[Samples], float]] | None = None
    """The probability that a turn is over by its sound, loaded on the thread "judge"; without it only silence tells."""
    understand: Understand | None = None
    """The words of a turn, and how sure they are; called on the thread "judge"."""
    drafts: Callable[[Settings], bool] = lambda _: False
    """Whether the dialogue is asked already while the person pauses."""
    now: Callable[[], float] = time.perf_counter
    today: Callable[[], datetime] = datetime.now
