"""Link: one realtime connection, and what the server at its other end knows of the conversation."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import soxr

from core.dialogue.protocol import Message
from core.dialogue.realtime_events import Complaint, RealtimeDecoder, append, delete, truncate
from core.dialogue.realtime_words import SpokenItem, SpokenItems
from core.dialogue.request import pcm_of
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from openai.resources.realtime.realtime import AsyncRealtimeConnection

    from core.dialogue.profile import EndpointProfile
    from core.dialogue.request import Question
    from core.media import AudioChunk, Samples

_APPENDED = CAPTURE_RATE
SETTLE_S = 1.5
"""How long a server may take to confirm that it has stopped and has forgotten what was not heard."""
_LATE_S = 15.0
"""How long the words of a turn are waited for when its reply is over."""
_STOPPED_ALREADY = "response_cancel_not_active"


@dataclass
class Link:
    """Lives on the loop. `rate` is that of the sound that goes up, `used_at` the loop's time of the last turn.

    `told` is the conversation as the server knows it; `turn` the number of the last turn that was asked over it, and
    `reply` what came of it.
    """

    connection: AsyncRealtimeConnection
    rate: int
    used_at: float
    told: list[Message] = field(default_factory=lambda: list[Message]())
    turn: int = -1
    reply: RealtimeDecoder = field(default_factory=RealtimeDecoder)
    interrupted: bool = False
    withdrawn: bool = False
    """The last turn was a draft that is given up: the server is to forget it whole."""
    clean: bool = True
    """Nothing but the sound in its buffer was told to the server beyond what is known of it."""
    question: SpokenItem | None = None
    """The last turn, if it was spoken and its sound was committed."""
    heard: asyncio.Future[tuple[str, float]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Words and seconds of the interrupted reply that were heard, once they are known."""
    settling: asyncio.Task[None] | None = None
    words: SpokenItems = field(default_factory=SpokenItems)
    lingering: asyncio.Task[None] | None = None
    """Reads on when a reply is over, for words that come late."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever reads what the server says."""
    _asked: str = ""
    _answered: bool = True
    _before: int = 0
    """How much was told before the last turn."""
    _truncates: bool = False
    _start: int = -1
    """Capture sample at which the speech in the server's buffer begins; -1 when the buffer is empty."""
    _sent: int = 0
    _resampler: soxr.ResampleStream | None = None

    @property
    def can_be_told(self) -> bool:
        """Whether the server can be told how much of its reply was heard."""
        return self._truncates and bool(self.reply.item)

    @property
    def forgets(self) -> bool:
        """Whether the server may be asked to forget the last turn."""
        return self._truncates and self.question is not None

    @property
    def outlives_its_turn(self) -> bool:
        """Whether a turn that is given up now leaves a server of which it is known what it knows, or will be."""
        return self.interrupted or self.clean

    @property
    def used(self) -> bool:
        """Whether anything of a conversation went over it."""
        return self.turn >= 0 or self._start >= 0 or bool(self.told)

    @property
    def settled(self) -> bool:
        """Whether the server's idea of the last reply is the person's."""
        return self._answered and not self.interrupted

    async def say(self, event: dict[str, Any]) -> None:
        await self.connection.send(cast("Any", event))

    async def hear(self, speech: AudioChunk) -> None:
        """Have `speech` in the server's buffer: what is there already is not sent again."""
        if self._start != speech.start:
            if self._start >= 0:
                await self.say({"type": "input_audio_buffer.clear"})
            self._start, self._sent = speech.start, 0
            self._resampler = None if self.rate == CAPTURE_RATE else soxr.ResampleStream(CAPTURE_RATE, self.rate, 1)
        for at in range(self._sent, len(speech.samples), _APPENDED):
            await self._append(speech.samples[at : at + _APPENDED])
        self._sent = max(self._sent, len(speech.samples))

    async def end(self, silence_s: float = 0.0) -> None:
        """The turn is complete, but for `silence_s` of silence."""
        await self._append(np.zeros(round(silence_s * CAPTURE_RATE), np.float32), last=True)
        self._start, self._sent, self._resampler = -1, 0, None

    def begin(self, question: Question, profile: EndpointProfile) -> RealtimeDecoder:
        """A turn is asked; returns who reads its reply."""
        self.turn, self._answered, self._truncates = question.number, False, profile.truncates
        self.question, self._before = None, len(self.told)
        self._asked = question.speech if isinstance(question.speech, str) else ""
        self.reply = RealtimeDecoder(self.reply.id, bare=profile.session == "bare")
        return self.reply

    def answered(self, text: str) -> None:
        """The reply was read to its end, or as far as it was wanted."""
        if self.reply.ended or self.reply.finished:
            self._answered = self.clean = True
            self.told += [Message("user", self._asked), Message("assistant", text.strip())]

    async def forget_unheard(self) -> None:
        """Have the server stop; once it is known what was heard, have it forget the rest.

        Raises:
            Complaint: the server does not want to.
            TimeoutError: it does not confirm.
        """
        stopped, forgotten = self.reply.ended, False
        if not stopped:
            await self.say({"type": "response.cancel"})
        text, seconds = await self.heard
        if seconds < self.reply.seconds or not stopped:
            await self.say(truncate(self.reply.item, min(seconds, self.reply.seconds)))
        else:
            forgotten = True
        async with asyncio.timeout(SETTLE_S), self.reading:
            while not (stopped and forgotten):
                event = await self._read_on()
                stopped |= self.reply.ended
                forgotten |= event.get("type") == "conversation.item.truncated"
        self._remember(text)

    async def forget_question(self) -> None:
        """Have the server stop, and forget the last turn and what it said to it.

        Raises:
            Complaint: the server does not want to.
            TimeoutError: it does not confirm.
        """
        assert self.question is not None, "nothing was asked"
        self.question.tell = None
        if not self.reply.ended:
            await self.say({"type": "response.cancel"})
        async with asyncio.timeout(SETTLE_S), self.reading:
            while not self.reply.ended:
                await self._read_on()
            names = {name for name in (self.question.name, self.reply.item) if name}
            if not self.question.name:
                raise Complaint("", "the server names nothing that could be deleted", begun=False)
            for name in names:
                await self.say(delete(name))
            while names:
                event = await self._read_on()
                if event.get("type") == "conversation.item.deleted":
                    names.discard(str(event.get("item_id")))
        del self.told[self._before :]
        self._go_on()

    async def hear_late(self) -> None:
        """Read on until the words of every spoken turn are known, or for as long as that may take."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LATE_S), self.reading:
                while self.words.awaited:
                    event = json.loads(await self.connection.recv_bytes())
                    if isinstance(event, dict):
                        await self.words.take(cast("dict[str, Any]", event))

    def read_no_more(self) -> None:
        """Somebody else is about to read."""
        if self.lingering is not None:
            self.lingering.cancel()
            self.lingering = None

    def give_up(self) -> None:
        """The connection ends."""
        self.read_no_more()
        if self.settling is not None and self.settling is not asyncio.current_task():
            self.settling.cancel()

    async def _read_on(self) -> dict[str, Any]:
        """The next event. What it has of the reply's sound is not wanted any more."""
        event = json.loads(await self.connection.recv_bytes())
        if not isinstance(event, dict):
            return {}
        read = cast("dict[str, Any]", event)
        await self.words.take(read)
        try:
            self.reply.feed(read)
        except Complaint as complaint:
            if _STOPPED_ALREADY not in complaint.code:
                raise
        return read

    def _remember(self, text: str) -> None:
        if self._answered:
            self.told.pop()
        else:
            self.told.append(Message("user", self._asked))
        if text:
            self.told.append(Message("assistant", text))
        self._go_on()

    def _go_on(self) -> None:
        """Both sides know the same again."""
        self._answered, self.clean, self.question = True, True, None
        self.interrupted = self.withdrawn = False
        self.heard, self.settling = asyncio.get_running_loop().create_future(), None

    async def _append(self, samples: Samples, *, last: bool = False) -> None:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        if samples.size:
            await self.say(append(pcm_of(samples)))
