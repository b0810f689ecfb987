"""Aloud: written words become speech, sentence by sentence, while the next ones are still being written."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.dialogue.heard import spoken_by
from core.dialogue.sentences import SentenceCutter
from core.dialogue.thoughts import WithoutThoughts
from core.dialogue.wire import Sound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from core.dialogue.delivery import Delivery
    from core.dialogue.wire import Words

    Say = Callable[[str], AsyncIterator[Sound]]

_AHEAD = 2
"""Sentences whose sound is made before the one that is being handed over has ended."""
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"^\s*(?:#{1,6}\s+|>\s+|[-*•]\s+|\d{1,2}[.)]\s+(?=\S))|[*`~|#]+|(?<!\w)_+|_+(?!\w)", re.MULTILINE)
_PICTURES = re.compile("[\u2190-\u21ff\u2600-\u27bf\ufe0f\u200d\U0001f000-\U0001faff]")


@dataclass
class _Line:
    """A sentence, its sound as it comes, and what went wrong with it."""

    text: str
    sound: asyncio.Queue[Sound | None] = field(default_factory=lambda: asyncio.Queue[Sound | None]())
    trouble: BaseException | None = None


class Aloud:
    """Takes the pieces of one written reply (`take`, then `end`) and has them said. Sound that comes by itself passes.
    Lives on the loop; `close` ends what is under way, on every path."""

    def __init__(self, say: Say, delivery: Delivery) -> None:
        self._say = say
        self._delivery = delivery
        self._thoughts = WithoutThoughts()
        self._cutter = SentenceCutter()
        self._lines: asyncio.Queue[_Line | None] = asyncio.Queue(_AHEAD)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted = True
        self._said = ""
        self._speaking = self._begin(self._speak())

    async def take(self, piece: Words | Sound) -> bool:
        """False when the reply is no longer wanted."""
        if isinstance(piece, Sound):
            return await self._delivery.take(piece)
        await self._write(self._thoughts.feed(piece.text))
        return self._wanted

    async def end(self) -> None:
        """Nothing more is written: wait until all of it was handed over."""
        await self._write(self._thoughts.rest())
        await self._add(self._cutter.rest())
        await self._put(None)
        await self._speaking

    async def close(self) -> None:
        tasks = {*self._tasks, self._speaking}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, text: str) -> None:
        *lines, rest = text.split("\n")
        for line in lines:  # a heading or an entry of a list has no full stop
            await self._add_all([*self._cutter.feed(line), self._cutter.rest()])
        await self._add_all(self._cutter.feed(rest))

    async def _add_all(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            await self._add(sentence)

    async def _add(self, sentence: str) -> None:
        text = speakable(sentence)
        if not text:
            return
        apart = " " if self._said and self._said[-1] < "\u2e80" else ""
        self._said += apart + text
        line = _Line(apart + text)
        self._begin(self._fetch(line))
        await self._put(line)

    async def _put(self, line: _Line | None) -> None:
        putting = asyncio.ensure_future(self._lines.put(line))
        try:
            await asyncio.wait({putting, self._speaking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()
        if self._speaking.done():
            await self._speaking

    async def _fetch(self, line: _Line) -> None:
        try:
            async for sound in self._say(line.text.strip()):
                line.sound.put_nowait(sound)
        except Exception as trouble:  # noqa: BLE001 - raised again where the sentence is said
            line.trouble = trouble
        finally:
            line.sound.put_nowait(None)

    async def _speak(self) -> None:
        while self._wanted and (line := await self._lines.get()):
            await self._hand_over(line)

    async def _hand_over(self, line: _Line) -> None:
        """Every fragment of sound with the words that ordinary speech says in it, the last with those that are left."""
        told, seconds = 0, 0.0
        fragment = await line.sound.get()
        while fragment is not None and self._wanted:
            following = await line.sound.get()
            seconds += len(fragment.samples) / fragment.rate
            until = spoken_by(line.text, seconds) if following is not None else len(line.text)
            self._wanted = await self._delivery.together(line.text[told : max(told, until)], fragment)
            told, fragment = max(told, until), following
        if line.trouble is not None:
            raise line.trouble
        if told < len(line.text) and self._wanted:
            self._wanted = await self._delivery.together(line.text[told:], None)

    def _begin(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def speakable(text: str) -> str:
    """`text` without what is meant for the eye: mark-up, links' addresses, little pictures."""
    return " ".join(_PICTURES.sub(" ", _MARKS.sub("", _LINK.sub(r"\1", text))).split())
