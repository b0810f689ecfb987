"""Ears: this computer's own recogniser on a thread of its own, so that what it takes holds up nobody else."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.media import AudioChunk


class Ears:
    """One recording after the other; who gives up before its own was begun leaves nothing to do. Lives on the loop;
    `close` waits for the recording under way.

    Args:
        transcribe: the recogniser, which blocks; None where there is none.
    """

    def __init__(self, transcribe: Callable[[AudioChunk], str] | None) -> None:
        self._transcribe = transcribe
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dialogue-ears")

    @property
    def able(self) -> bool:
        return self._transcribe is not None

    async def hear(self, speech: AudioChunk) -> str:
        """The words of `speech`, empty where it makes none out. Only where it is `able`.

        Raises:
            LiveTalkError: its models are missing.
        """
        assert self._transcribe is not None, "nobody hears here"
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transcribe, speech)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, partial(self._thread.shutdown, cancel_futures=True))
