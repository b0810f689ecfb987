"""Listener: the person's words beside an endpoint that hears for itself and never tells what it heard."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from core.dialogue.phrases import ENGLISH, language_of
from core.dialogue.trouble import Setback
from core.errors import LiveTalkError
from core.media import AudioChunk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from core.dialogue.bugs import Bugs
    from core.dialogue.ears import Ears
    from core.dialogue.identify import Server
    from core.dialogue.protocol import Reply
    from core.media import Turn

    Asked = Callable[[Server, AudioChunk], Awaitable[str]]

log = logging.getLogger(__name__)
_KEPT_TURNS = 2


@dataclass
class _Draft:
    """A spoken turn that may not be over, and what is to be done when it is: its words, and what was answered."""

    speech: AudioChunk
    write_down: Callable[[], None] | None = None
    answer: str | None = None


class Listener:
    """Writes down spoken turns, holding up nobody: the local ears work beside the request, and what they cannot make
    out the endpoint is asked for once it has answered. The last spoken turns whose words are not known are kept as
    sound, so that a later request may hold them. Lives on the loop.

    The local ears know English only, and make English of other languages, too: where the conversation is in another
    one they are not believed, and as long as nothing tells its language, not before the answer has.

    Of a draft nothing is kept and nothing written down before it is released.

    Args:
        ears: the local ones.
        asked: writes down what the local ears cannot; None when nobody is asked.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ears: Ears,
        asked: Asked | None,
        bugs: Bugs,
    ) -> None:
        self._loop = loop
        self._ears = ears
        self._asked = asked
        self._bugs = bugs
        self._sounds: dict[int, AudioChunk] = {}
        self._writing: dict[int, asyncio.Task[None]] = {}
        self._answered: dict[int, asyncio.Event] = {}
        self._replies: dict[int, str] = {}
        self._known: set[int] = set()
        """Turns under way whose words the endpoint has told."""
        self._drafts: dict[int, _Draft] = {}
        self._busy: set[int] = set()
        self._free = asyncio.Event()
        self._free.set()
        self._asking: asyncio.Future[str] | None = None
        self._one_by_one = asyncio.Lock()
        self._in_line: set[int] = set()
        """Turns of which the endpoint is to be asked, as long as their sound is kept."""
        self._begun: Turn | None = None

    @property
    def kept(self) -> Mapping[int, AudioChunk]:
        """Sound of earlier turns by number."""
        return dict(self._sounds)

    def make_room(self, number: int) -> None:
        """A turn begins: who asks the endpoint about an earlier one asks again when it was answered."""
        self._busy.add(number)
        self._free.clear()
        if self._asking is not None:
            self._asking.cancel()

    def draft(self, number: int, speech: AudioChunk) -> None:
        """The person may have finished, and may go on."""
        self._drafts[number] = _Draft(speech)

    def release(self, number: int) -> None:
        """They have finished."""
        draft = self._drafts.pop(number, None)
        if draft is None:
            return
        told = number in self._known
        self.keep(number, draft.speech)
        if told:
            self.told(number)
        elif draft.write_down is not None:
            draft.write_down()
        if draft.answer is not None:
            self.answered(number, draft.answer)

    def withdraw(self, number: int) -> None:
        """They went on."""
        self._drafts.pop(number, None)
        self._known.discard(number)

    def keep(self, number: int, speech: AudioChunk) -> None:
        """The turn is a spoken one, or one that was not over begins anew as a whole."""
        unfinished = self._writing.pop(number, None)
        if unfinished is not None:
            unfinished.cancel()
        self._sounds[number] = speech
        for oldest in sorted(self._sounds)[:-_KEPT_TURNS]:
            del self._sounds[oldest]
            if oldest in self._in_line:
                self._writing[oldest].cancel()
        self._answered[number] = asyncio.Event()
        self._known.discard(number)

    def write_down(self, server: Server, turn: Turn, reply: Reply, language: str) -> None:
        """Find out the words of `turn` and tell them to `reply`, whenever they are known; once a turn. `language` is
        that of the conversation so far, empty where nothing tells it."""
        if turn.number in self._drafts:
            self._drafts[turn.number].write_down = partial(self.write_down, server, turn, reply, language)
            return
        if turn is self._begun or not self._ears.able or not isinstance(turn.speech, AudioChunk):
            return
        self._begun = turn
        task = self._loop.create_task(self._write_down(server, turn.number, turn.speech, reply, language))
        self._writing[turn.number] = task
        task.add_done_callback(lambda task: self._done(turn.number, task))

    def told(self, number: int) -> None:
        """The endpoint itself told the words of the turn: it heard them better."""
        if number in self._answered or number in self._drafts:
            self._known.add(number)
        self._sounds.pop(number, None)

    def answered(self, number: int, text: str = "") -> None:
        """The endpoint is free again; `text` is what it answered."""
        self._busy.discard(number)
        if not self._busy:
            self._free.set()
        if number in self._drafts:
            self._drafts[number].answer = text
            return
        if number in self._answered:
            self._replies[number] = text
            self._answered[number].set()
        if number not in self._writing:
            self._over(number)

    def forget(self) -> None:
        """Another conversation begins: its requests hold no sound of this one, and nobody is asked for its words."""
        self._sounds.clear()
        self._drafts.clear()
        self._known.clear()
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
        self._known.discard(number)

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
        self._in_line.add(number)
        try:
            async with self._one_by_one:
                return await self._ask(self._asked, server, number, speech)
        except Setback as setback:
            log.info("the words of a spoken turn are not known: %s", setback.error.problem.value)
            return ""
        finally:
            self._in_line.discard(number)

    async def _ask(self, asked: Asked, server: Server, number: int, speech: AudioChunk) -> str:
        """The words by the endpoint, for as long as nobody else told them; whoever speaks meanwhile goes first."""
        while True:
            await self._free.wait()
            if number in self._known:
                return ""
            asking = self._asking = asyncio.ensure_future(asked(server, speech))
            try:
                await asyncio.wait([asking])
            finally:
                self._asking = None
                asking.cancel()
            if not asking.cancelled():
                return asking.result()

    async def _english(self, number: int, speech: AudioChunk, language: str) -> str:
        """The words by the local ears, empty where they make none out or the conversation is in another language."""
        if language not in ("", ENGLISH):
            return ""
        try:
            words = await self._ears.hear(speech)
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
