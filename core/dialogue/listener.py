"""Listener: the person's words beside an endpoint that hears for itself and never tells what it heard."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from core.dialogue.phrases import ENGLISH, language_of
from core.dialogue.trouble import Setback
from core.errors import LiveTalkError
from core.media import AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.dialogue.bugs import Bugs
    from core.dialogue.chat import ChatTransport
    from core.dialogue.identify import Server
    from core.dialogue.protocol import Reply
    from core.media import Turn

log = logging.getLogger(__name__)
_KEPT_TURNS = 2


class Listener:
    """Writes down spoken turns, holding up nobody: the local ears work beside the request, and what they cannot make
    out the endpoint is asked for once it has answered. The last spoken turns whose words are not known are kept as
    sound, so that a later request may hold them. Lives on the loop.

    The local ears know English only, and make English of other languages, too: where the conversation is in another
    one they are not believed, and as long as nothing tells its language, not before the answer has.

    Args:
        transcribe: the local ears; called beside the loop.
        asked: who writes down what the local ears cannot; None when nobody is asked.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transcribe: Callable[[AudioChunk], str] | None,
        asked: ChatTransport | None,
        bugs: Bugs,
    ) -> None:
        self._loop = loop
        self._transcribe = transcribe
        self._asked = asked
        self._bugs = bugs
        self._sounds: dict[int, AudioChunk] = {}
        self._writing: dict[int, asyncio.Task[None]] = {}
        self._answered: dict[int, asyncio.Event] = {}
        self._replies: dict[int, str] = {}
        self._known: set[int] = set()
        self._begun: Turn | None = None

    @property
    def kept(self) -> Mapping[int, AudioChunk]:
        """Sound of earlier turns by number."""
        return dict(self._sounds)

    def make_room(self, number: int) -> None:
        """A turn begins: who still asks the endpoint about an earlier one asks no more."""
        for earlier in set(self._answered) - {number}:
            if self._answered[earlier].is_set() and earlier in self._writing:
                self._writing[earlier].cancel()

    def keep(self, number: int, speech: AudioChunk) -> None:
        """The turn is a spoken one, or one that was not over begins anew as a whole."""
        unfinished = self._writing.pop(number, None)
        if unfinished is not None:
            unfinished.cancel()
        self._sounds[number] = speech
        for oldest in sorted(self._sounds)[:-_KEPT_TURNS]:
            del self._sounds[oldest]
        self._answered[number] = asyncio.Event()

    def write_down(self, server: Server, turn: Turn, reply: Reply, language: str) -> None:
        """Find out the words of `turn` and tell them to `reply`, whenever they are known; once a turn. `language` is
        that of the conversation so far, empty where nothing tells it."""
        if turn is self._begun or self._transcribe is None or not isinstance(turn.speech, AudioChunk):
            return
        self._begun = turn
        self._known.discard(turn.number)
        task = self._loop.create_task(self._write_down(server, turn.number, turn.speech, reply, language))
        self._writing[turn.number] = task
        task.add_done_callback(lambda task: self._done(turn.number, task))

    def told(self, number: int) -> None:
        """The endpoint itself told the words of the turn: it heard them better."""
        self._known.add(number)
        self._sounds.pop(number, None)

    def answered(self, number: int, text: str = "") -> None:
        """The endpoint is free again; `text` is what it answered."""
        if number in self._answered:
            self._replies[number] = text
            self._answered[number].set()
        if number not in self._writing:
            self._over(number)

    def forget(self) -> None:
        """Another conversation begins: its requests hold no sound of this one, and nobody is asked for its words."""
        self._sounds.clear()
        for task in self._writing.values():
            task.cancel()

    async def close(self) -> None:
        tasks = list(self._writing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, number: int, task: asyncio.Task[None]) -> None:
        if self._writing.get(number) is task:
            del self._writing[number]
            self._over(number)

    def _over(self, number: int) -> None:
        self._answered.pop(number, None)
        self._replies.pop(number, None)

    async def _write_down(self, server: Server, number: int, speech: AudioChunk, reply: Reply, language: str) -> None:
        try:
            words = await self._words(server, number, speech, language)
            if words and number not in self._known:
                self._sounds.pop(number, None)
                await self._loop.run_in_executor(None, reply.user_said, words)
        except Exception as bug:  # noqa: BLE001 - the conversation does not need them
            self._bugs.note(bug)

    async def _words(self, server: Server, number: int, speech: AudioChunk, language: str) -> str:
        words = await self._english(number, speech, language)
        if words or self._asked is None:
            return words
        await self._until_answered(number)
        if number in self._known:
            return ""
        try:
            return await self._asked.write_down(server, speech)
        except Setback as setback:
            log.info("the words of a spoken turn are not known: %s", setback.error.problem.value)
            return ""

    async def _english(self, number: int, speech: AudioChunk, language: str) -> str:
        """The words by the local ears, empty where they make none out or the conversation is in another language."""
        if self._transcribe is None or language not in ("", ENGLISH):
            return ""
        try:
            words = await self._loop.run_in_executor(None, self._transcribe, speech)
        except LiveTalkError as error:
            log.info("the words of a spoken turn are not known here: %s", error.problem.value)
            return ""
        if words and not language:
            await self._until_answered(number)
            language = language_of(self._replies.get(number, ""))
        return words if language in ("", ENGLISH) else ""

    async def _until_answered(self, number: int) -> None:
        if number in self._answered:
            await self._answered[number].wait()
