"""Conversation: who speaks now. The only one that makes or cancels a turn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.answer import Answer, Ended, Output, Report, Spoke, UserWords
from core.channel import Channel, Closed, TimedOut
from core.commands import Appear, Command, Hold, Interrupt, Microphone, Open, Retry, Rules, Say
from core.dialogue.heard import heard_text
from core.dialogue.history import Entry
from core.dialogue.protocol import Verdict
from core.errors import LiveTalkError, Problem
from core.events import Failed, Interrupted, Recovered, Replying, Status, StatusChanged, TurnMeasured, UserSpoke
from core.listening.turns import Floor
from core.marks import Step
from core.media import CAPTURE_RATE, AudioChunk, Turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.dialogue.history import History
    from core.dialogue.protocol import Dialogue, Message
    from core.events import Emit
    from core.listening.turns import TurnTaker
    from core.marks import Marks
    from core.media import Samples

_TICK_S = 0.04
_INBOX = 2 * CAPTURE_RATE
_LOST = {
    Problem.ENDPOINT_UNREACHABLE,
    Problem.ENDPOINT_SILENT,
    Problem.ENDPOINT_REFUSED,
    Problem.ENDPOINT_BUSY,
    Problem.KEY_REFUSED,
}
"""Trouble after which nobody answers until something changes."""
_KEEP_EVERY_S = 1.0
_RECONNECT_S = (1.0, 3.0)
_MOST_ATTEMPTS = 5
_KEPT_BEFORE = 2 * CAPTURE_RATE
_KEPT_SILENCE = int(0.2 * CAPTURE_RATE)


_Message = AudioChunk | Command | Report


class Listener(Protocol):
    """Voice probability of the next samples."""

    def __call__(self, chunk: AudioChunk) -> float: ...

    def reset(self) -> None: ...


@dataclass
class _Reply:
    """The current turn, and what is known of its answer. Conversation thread only."""

    turn: Turn
    dialogue: Dialogue
    started: str
    """ISO time at which the answer was asked for."""
    pieces: list[tuple[str, int]] = field(default_factory=lambda: list[tuple[str, int]]())
    ended: Ended | None = None
    sounding: bool = False
    kept: int = 0
    """Samples heard when the history was last told."""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)

    @property
    def samples(self) -> int:
        return sum(samples for _, samples in self.pieces)

    def split(self, heard: int) -> tuple[str, str]:
        """The words that `heard` samples have said, and the others."""
        return heard_text(self.pieces, heard, complete=self.ended is not None)


@dataclass(frozen=True)
class Spoken:
    """What the window shows as the caption's material: the pieces of the current reply. Replaced, never changed."""

    turn: Turn
    pieces: tuple[tuple[str, int], ...]


class Conversation:
    """Runs on the thread "conversation" and owns the voice detector, the turn rules, the history and the turn.

    Everything else reaches it as a value through `tell` (or `hear`, for sound), from any thread.
    """

    def __init__(
        self,
        *,
        vad: Listener,
        turns: TurnTaker,
        dialogue: Dialogue,
        built_in: Callable[[], Dialogue],
        history: History,
        output: Output,
        emit: Emit,
        marks: Marks,
        media_rate: int,
        note: Callable[[str, str, Turn, float | None], None],
        today: Callable[[], datetime],
        microphone_on: bool = True,
    ) -> None:
        self._vad = vad
        self._turns = turns
        self._dialogue = dialogue
        self._built_in = built_in
        self._history = history
        self._output = output
        self._emit = emit
        self._marks = marks
        self._media_rate = media_rate
        self._note = note
        self._today = today
        self._microphone_on = microphone_on
        self._inbox: Channel[_Message] = Channel(
            _INBOX, lambda item: len(item.samples) if isinstance(item, AudioChunk) else 0
        )
        self._number = history.last_turn
        self._opened_at = 0
        self._reply: _Reply | None = None
        self._unanswered = _kept_question(history)
        self._retry_at: float | None = None
        self._attempts = 0
        self._lost = False
        self._told: Problem | None = None
        self._kept: deque[tuple[int, Samples]] = deque()
        self._status = Status.STARTING
        self._appeared = False
        self.spoken: Spoken | None = None

    # -- any thread

    def hear(self, chunk: AudioChunk) -> None:
        """Sound from the microphone; never waits: when nobody listens in time, the oldest is dropped and counted."""
        self._inbox.offer(chunk)

    def tell(self, command: Command) -> None:
        self._inbox.offer(command)

    @property
    def dropped(self) -> int:
        """Chunks of the microphone's sound that were lost because the conversation was busy."""
        return self._inbox.dropped

    # -- the conversation's own thread

    def run(self) -> None:
        try:
            while True:
                self.step(_TICK_S)
        except Closed:
            self._end_quietly()

    def stop(self) -> None:
        self._inbox.close()

    def step(self, timeout_s: float) -> None:
        """Handle one message, or notice that time went by.

        Raises:
            Closed: the conversation was stopped.
        """
        try:
            message = self._inbox.take(timeout_s)
        except TimedOut:
            message = None
        if isinstance(message, AudioChunk):
            self._listen(message)
        elif isinstance(message, Report):
            self._hear_of_reply(message)
        elif message is not None:
            self._obey(message)
        self._follow_reply()
        self._retry_when_due()
        self._show_status()

    def interrupt(self) -> None:
        """Barge-in, in the order that loses nothing: see docs/architecture.md, "Cancellation"."""
        reply = self._reply
        if reply is None:
            return
        reply.turn.cancel()
        reply.dialogue.cancel(reply.turn)
        self._output.drop(reply.turn)
        heard = self._output.silence(reply.turn)
        self._reply = None
        said, unheard = reply.split(heard)
        if reply.ended is not None and reply.ended.error is None and said.strip() and not unheard.strip():
            self._finish(reply)  # only the silence after its last word was cut
            return
        self._remember_cut(reply, heard)
        self._emit(Interrupted(reply.turn.number, said, unheard, heard / self._media_rate))
        if said.strip():
            self._note("avatar", said.strip(), reply.turn, None)

    def _obey(self, command: Command) -> None:
        match command:
            case Say(text):
                self._begin(text)
            case Interrupt():
                self.interrupt()
            case Hold(pressed):
                self._hold(pressed)
            case Retry(here):
                self._attempts = 0
                self._retry(here)
            case Microphone(on):
                self._switch_microphone(on)
            case _:
                self._change(command)

    def _change(self, command: Open | Appear | Rules) -> None:
        match command:
            case Open(history):
                self._open(history)
            case Appear(greet):
                self._appeared = True
                if greet:
                    self._begin(None)
            case Rules(rules, hold_to_talk):
                self._turns.rules = rules
                self._turns.hold_to_talk = hold_to_talk

    # -- the person

    def _listen(self, chunk: AudioChunk) -> None:
        self._kept.append((self._turns.position, chunk.samples))
        self._turns.avatar_speaks = self._reply is not None and self._reply.sounding
        match self._turns.hear(self._vad(chunk), len(chunk.samples)):
            case Floor.SPEAKING:
                self.interrupt()
            case Floor.PAUSED:
                self._dialogue.anticipate(self._speech(self._turns.position))
            case Floor.QUIET:
                self._speech_ends()
            case _:
                pass
        self._forget_old_sound()

    def _speech_ends(self) -> None:
        silence = self._turns.end - self._turns.speech_end
        speech = self._speech(self._turns.end - max(0, silence - _KEPT_SILENCE))
        if len(speech.samples):
            self._begin(speech, silence / CAPTURE_RATE)

    def _speech(self, until: int) -> AudioChunk:
        """What the person said since they took the floor, up to the capture position `until`."""
        pieces = [samples for _, samples in self._kept]
        if not pieces:
            return AudioChunk(np.zeros(0, np.float32), until)
        first = self._kept[0][0]
        start = max(first, self._turns.start)
        return AudioChunk(np.concatenate(pieces)[start - first : max(start, until) - first], start)

    def _forget_old_sound(self) -> None:
        if not self._turns.speaking:
            while self._kept and self._turns.position - self._kept[0][0] > _KEPT_BEFORE:
                self._kept.popleft()

    def _hold(self, pressed: bool) -> None:
        if pressed:
            self.interrupt()
            self._turns.press()
        elif self._turns.release() is Floor.QUIET:
            self._speech_ends()

    def _switch_microphone(self, on: bool) -> None:
        self._microphone_on = on
        if not on:
            self._turns.forget()
            self._vad.reset()
            self._kept.clear()

    # -- the turn

    def _begin(self, speech: AudioChunk | str | None, ended_ago_s: float = 0.0) -> None:
        """A new turn: whatever was being said is cut, and the dialogue is asked."""
        self.interrupt()
        self._attempts = 0
        self._number += 1
        turn = Turn(self._number, speech)
        messages = self._history.messages()
        now = self._marks.now()
        if isinstance(speech, AudioChunk):
            self._marks.mark(turn.number, Step.SPEECH_END, now - ended_ago_s)
        self._marks.mark(turn.number, Step.TURN_END, now)
        if speech is not None:
            typed = speech if isinstance(speech, str) else ""
            self._remember_question(turn, typed)
            self._emit(UserSpoke(turn.number, typed, spoken=not isinstance(speech, str)))
            if typed:
                self._note("user", typed, turn, 0.0)
        self._ask(turn, messages, self._dialogue)

    def _ask(self, turn: Turn, messages: list[Message], dialogue: Dialogue) -> None:
        self._retry_at = None
        self._unanswered = None
        self._trouble_is_over()
        self._reply = _Reply(turn, dialogue, self._today().isoformat(timespec="seconds"))
        self.spoken = None
        dialogue.start(turn, messages, Answer(turn, self._inbox.offer, self._output, self._marks))

    def _retry(self, here: bool = False) -> None:
        if self._unanswered is None:
            return
        self.interrupt()
        turn = Turn(self._unanswered.number, self._unanswered.speech)
        self._marks.forget(turn.number)
        self._marks.mark(turn.number, Step.TURN_END)
        self._ask(turn, self._history.messages(before=turn.number), self._built_in() if here else self._dialogue)

    def _retry_when_due(self) -> None:
        due = self._retry_at is not None and self._marks.now() >= self._retry_at
        if due and self._reply is None and not self._turns.speaking:
            self._retry()

    def _open(self, history: History) -> None:
        self.interrupt()
        self._history.close()
        self._history = history
        self._number = max(self._number, history.last_turn)
        self._opened_at = self._number
        self._unanswered = _kept_question(history)
        self._retry_at = None
        self._trouble_is_over()
        self.spoken = None

    # -- the answer

    def _hear_of_reply(self, message: Report) -> None:
        reply = self._reply
        if isinstance(message, UserWords):
            if message.turn.number <= self._opened_at:
                return  # they belong to the conversation before this one
            self._remember_question(message.turn, message.text)
            self._emit(UserSpoke(message.turn.number, message.text, spoken=True))
            speech = message.turn.speech
            if isinstance(speech, AudioChunk):
                self._note("user", message.text, message.turn, len(speech.samples) / CAPTURE_RATE)
        elif reply is None:
            return
        elif isinstance(message, Spoke) and message.turn is reply.turn:
            reply.pieces.append((message.text, message.samples))
            self.spoken = Spoken(reply.turn, tuple(reply.pieces))
            if message.text:
                self._emit(Replying(reply.turn.number, reply.text))
        elif isinstance(message, Ended) and message.turn is reply.turn:
            reply.ended = message
            if message.error is not None:
                self._fail(reply, message.error)

    def _follow_reply(self) -> None:
        """Notice the first sound and the last of the current reply."""
        reply = self._reply
        if reply is None:
            return
        if not reply.sounding and self._output.shown(reply.turn):
            reply.sounding = True
            self._emit(
                TurnMeasured(
                    reply.turn.number, isinstance(reply.turn.speech, str), self._marks.stages(reply.turn.number)
                )
            )
        if reply.sounding:
            self._keep_what_was_heard(reply)
        if reply.ended is not None and not self._output.pending(reply.turn):
            self._finish(reply)

    def _keep_what_was_heard(self, reply: _Reply) -> None:
        """A killed process loses at most the last second of what was said."""
        heard = self._output.heard(reply.turn)
        if heard - reply.kept < self._media_rate * _KEEP_EVERY_S:
            return
        reply.kept = heard
        if reply.split(heard)[0].strip():
            self._remember_cut(reply, heard)

    def _finish(self, reply: _Reply) -> None:
        self._reply = None
        ended = reply.ended
        text = reply.text.strip()
        complete = ended is not None and ended.error is None and ended.verdict in {Verdict.OK, Verdict.NO_AUDIO}
        if text:
            self._remember_reply(reply, text, reply.samples, cut=not complete)
            self._note("avatar", text, reply.turn, None if reply.samples else 0.0)
        if ended is not None and ended.verdict is Verdict.FILTERED:
            self._emit(Failed.of(_filtered(), reply.turn.number))
        if reply.pieces or ended is None or ended.error is None:
            self._emit(Replying(reply.turn.number, text, done=True, complete=complete))

    def _fail(self, reply: _Reply, error: LiveTalkError) -> None:
        """The question is kept. A lost endpoint is tried again before the person is troubled; a busy one when it
        said it would be free, and the person sees the countdown."""
        self._unanswered = reply.turn
        self._lost = error.problem in _LOST
        wait_s = None if reply.pieces else _wait_s(error, self._attempts)
        if wait_s is not None:
            self._attempts += 1
            self._retry_at = self._marks.now() + wait_s
        if wait_s is None or error.problem is Problem.ENDPOINT_BUSY:
            self._told = error.problem
            failed = Failed.of(error, reply.turn.number)
            self._emit(failed if wait_s is not None else _given_up(failed))

    def _trouble_is_over(self) -> None:
        """The question is asked again, or another one is: what was told of the endpoint holds no longer."""
        told, self._told = self._told, None
        if told is not None:
            self._emit(Recovered(told))

    # -- the memory

    def _remember_question(self, turn: Turn, text: str) -> None:
        started = self._today().isoformat(timespec="seconds")
        self._remember(Entry(turn.number, "user", text, started, spoken=not isinstance(turn.speech, str)))

    def _remember_reply(self, reply: _Reply, said: str, heard: int, *, cut: bool) -> None:
        self._remember(
            Entry(
                reply.turn.number,
                "assistant",
                said.strip(),
                reply.started,
                full_text=reply.text.strip() if cut else "",
                heard_s=heard / self._media_rate,
                cut=cut,
            )
        )

    def _remember_cut(self, reply: _Reply, heard: int) -> None:
        """History says what was heard of a reply that was cut, or that is not over."""
        if reply.pieces:
            self._remember_reply(reply, reply.split(heard)[0], heard, cut=True)

    def _remember(self, entry: Entry) -> None:
        try:
            self._history.put(entry)
        except LiveTalkError as error:
            self._emit(Failed.of(error))

    # -- the status

    def _show_status(self) -> None:
        status = self._present_status()
        if status is not self._status:
            self._status = status
            attempt = str(self._attempts) if status is Status.RECONNECTING else ""
            self._emit(StatusChanged(status, attempt))

    def _present_status(self) -> Status:
        if not self._appeared:
            return Status.STARTING
        if self._turns.speaking:
            return Status.LISTENING
        if self._reply is not None:
            return Status.SPEAKING if self._reply.sounding else Status.THINKING
        if self._retry_at is not None:
            return Status.RECONNECTING
        if self._unanswered is not None and self._lost:
            return Status.NOT_CONNECTED
        return Status.READY if self._microphone_on else Status.MICROPHONE_OFF

    def _end_quietly(self) -> None:
        """The app closes: what was heard so far is kept, without an event for anybody."""
        if reply := self._reply:
            reply.turn.cancel()
            reply.dialogue.cancel(reply.turn)
            self._remember_cut(reply, self._output.heard(reply.turn))
        self._history.close()


def _given_up(failed: Failed) -> Failed:
    """Nothing is tried again by itself any more: what promised to is said otherwise."""
    if failed.problem is not Problem.ENDPOINT_BUSY or failed.retry_after_s is None:
        return failed
    advice = "Your last question is kept. Try again in a while, or let the built-in companion answer."
    return replace(failed, advice=advice, retry_after_s=None)


def _wait_s(error: LiveTalkError, attempts: int) -> float | None:
    """Seconds until the question is asked again by itself; None when that is for the person to decide."""
    if error.retry_after_s is None or attempts >= _MOST_ATTEMPTS:
        return None
    if error.problem is Problem.ENDPOINT_BUSY:
        return error.retry_after_s
    if error.problem is Problem.ENDPOINT_UNREACHABLE and attempts < len(_RECONNECT_S):
        return _RECONNECT_S[attempts]
    return None


def _kept_question(history: History) -> Turn | None:
    """The last question of `history` when it has no answer, so that it can be asked again."""
    last = history.entries[-1] if history.entries else None
    return Turn(last.turn, last.text) if last and last.role == "user" and last.text else None


def _filtered() -> LiveTalkError:
    return LiveTalkError(
        Problem.ANSWER_CUT, "The endpoint declined to answer that.", "Ask it in another way, or ask something else."
    )
