"""Muteness: whether an endpoint that should speak does, and how it is asked while it does not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.dialogue.profile import turned
from core.dialogue.protocol import Verdict

if TYPE_CHECKING:
    from core.dialogue.identify import Server

log = logging.getLogger(__name__)
_MUTE_AFTER = 2
_TRY_AGAIN_AFTER = 4
"""Answers in writing between two requests for sound: a server may have been mute by chance (vllm-omni #1001 gives none
for an answer of one word)."""


class Muteness:
    """After two answers without sound none is asked for, and the words are read aloud as they come; every few turns the
    endpoint is asked for sound again. It is forgotten with the conversation. Lives on the loop."""

    def __init__(self) -> None:
        self._silent = 0
        self._in_writing = 0

    def asked(self, server: Server) -> Server:
        """`server` as it is to be asked now."""
        profile = server.profile
        waits = self._silent >= _MUTE_AFTER and self._in_writing < _TRY_AGAIN_AFTER
        if not waits or profile.transport != "chat" or not profile.speaks:
            return server
        return server.asked_as(turned(profile, "modalities"))

    def judge(self, asked: Server, verdict: Verdict) -> Verdict:
        """What `verdict` means: MUTE the second time in a row that there was no sound."""
        if not asked.profile.speaks:
            self._in_writing += 1
            return verdict
        self._silent = self._silent + 1 if verdict is Verdict.NO_AUDIO else 0
        self._in_writing = 0
        if self._silent != _MUTE_AFTER:
            return verdict
        log.info("the endpoint gives no sound")
        return Verdict.MUTE
