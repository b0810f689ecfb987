"""Conversation: who speaks now. The only one that makes or cancels a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.answer import Anew, Answer, Aside, Ended, Output, Report, Sounding, Spoke, Told, UserWords
from core.aside import Asides
from core.channel import Channel, Closed, TimedOut
from core.commands import Appear, Command, GoOn, Hold, Interrupt, Microphone, Open, Retry, Rules, Say
from core.dialogue.protocol import Verdict
from core.draft import Draft
from core.events import Failed, Interrupted, Replying, Status, StatusChanged, TurnMeasured, UserSpoke
from core.listening.judge import Judged, Overheard
from core.marks import Step
from core.media import CAPTURE_RATE, AudioChunk, Turn
from core.memory import Spoken
from core.person import Person
from core.scribe import Glimpsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.dialogue.protocol import Dialogue, Message
    from core.events import Emit
    from core.hearing import Hearing
    from core.listening.judge import Judge
    from core.marks import Marks
    from core.memory import Memory
    from core.scribe import Scribe
    from core.unanswered import Unanswered

_TICK_S = 0.04
_INBOX = 2 * CAPTURE_RATE
_COMPLETE = {Verdict.OK, Verdict.NO_AUDIO, Verdict.MUTE}
_Message = AudioChunk | Command | Report | Glimpsed | Judged | Overheard


class Conversation:
    """Runs on the thread "conversation" and owns the hearing, the memory and the turn.

    Everything else reaches it as a value through `tell` (or `hear`, for sound), from any thread.

    Args:
        judge: tells what a pause and a word in between mean; without one only the time tells.
        drafts: ask the dialogue already when the person has probably finished.
        built_in: makes the companion that answers when the person asks for it.
        media_rate: samples of speech a second.
        note: told each line for the recording's subtitles: who, words, turn, seconds.
    """

    def __init__(
        self,
        *,
        hearing: Hearing,
        scribe: Scribe,
        judge: Judge | None,
        memory: Memory,
        unanswered: Unanswered,
        dialogue: Dialogue,
        built_in: Callable[[], Dialogue],
        output: Output,
        emit: Emit,
        marks: Marks,
        media_rate: int,
        note: Callable[[str, str, Turn, float | None], None],
        microphone_on: bool = True,
        drafts: bool = False,
    ) -> None:
        self._voice = Person(hearing, scribe, judge, self, output.soften)
        self._memory = memory
        self._unanswered = unanswered
        self._dialogue = dialogue
        self._built_in = built_in
        self._output = output
        self._emit = emit
        self._marks = marks
        self._media_rate = media_rate
        self._note = note
        self._microphone_on = microphone_on
        self._inbox: Channel[_Message] = Channel(
            _INBOX, lambda item: len(item.samples) if isinstance(item, AudioChunk) else 0
        )
        self._number = memory.history.last_turn
        self._opened_at = 0
        self._reply: Spoken | None = None
        self._draft: Draft | None = None
        self._drafts = drafts
        self._status, self._appeared = Status.STARTING, False
        self._asides = Asides(output, note)
        self._sounding: Sounding | None = None

    # -- any thread

    def hear(self, chunk: AudioChunk) -> None:
        """Sound from the microphone; never waits: when nobody listens in time, the oldest is dropped and counted."""
        self._inbox.offer(chunk)

    def tell(self, message: Command | Glimpsed | Judged | Overheard) -> None:
        self._inbox.offer(message)

    @property
    def sounding(self) -> Sounding | None:
        """What the avatar says at this moment."""
        return self._asides.sounding or self._sounding

    @property
    def person(self) -> str:
        """What the person says at this moment, as far as it is understood."""
        return self._voice.words

    @property
    def question(self) -> Turn | None:
        """What nobody has answered yet, a reply that has not begun to sound included; ask when the thread has ended."""
        return self._unanswered.turn

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
        match message:
            case AudioChunk():
                self._voice.listen(message, self._reply, aside=self._asides.heard)
            case Glimpsed():
                self._voice.glimpsed(message)
            case Judged():
                self._voice.judged(message)
            case Overheard():
                self._voice.overheard(message)
            case Aside():
                self._asides.take(message)
            case Told(error=error):
                self._emit(Failed.of(error))
            case UserWords() | Spoke() | Anew() | Ended():
                self._hear_of_reply(message)
            case None:
                pass
            case _:
                self._obey(message)
        self._follow_reply()
        self._retry_when_due()
        self._show_status()

    def interrupt(self, *, unfinished: bool = False) -> None:
        """Barge-in, in the order that loses nothing: see docs/architecture.md, "Cancellation". Of a reply to an
        `unfinished` question nothing is told unless words of it were."""
        self.go_on()
        self._asides.cut()
        reply = self._reply
        if reply is None:
            return
        reply.turn.cancel()
        reply.dialogue.cancel(reply.turn)
        self._output.drop(reply.turn)
        heard = self._output.silence(reply.turn)
        self._reply, self._voice.words = None, ""
        if unfinished and not reply.text:
            return
        said, unheard = reply.split(heard)
        reply.dialogue.heard(reply.turn, said.strip(), heard / self._media_rate)
        if reply.ended is not None and reply.ended.error is None and said.strip() and not unheard.strip():
            self._finish(reply)  # only the silence after its last word was cut
            return
        self._memory.heard(reply, heard)
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
                self._voice.hold(pressed)
            case Retry(here):
                self._unanswered.attempts = 0
                self._retry(here)
            case GoOn():
                if self._reply is not None:
                    self._reply.go_on = True
                elif words := self._memory.wish_to_go_on():
                    self._begin(words)
            case Microphone(on):
                self._microphone_on = on
                if not on:
                    self._voice.fall_silent()
            case _:
                self._change(command)

    def _change(self, command: Open | Appear | Rules) -> None:
        match command:
            case Open():
                self._open(command)
            case Appear(greet):
                self._appeared = True
                if greet:
                    self._begin(None)
            case Rules(rules, hold_to_talk):
                self._voice.follow(rules, hold_to_talk)

    # -- the person (`core.person.Answerer`)

    def prepare(self, speech: AudioChunk) -> None:
        self._dialogue.anticipate(speech)

    def draft(self, speech: AudioChunk, again: Turn | None) -> None:
        if self._drafts and self._draft is None:
            turn = self._turn(speech, again)
            messages = self._memory.history.messages(before=turn.number)
            self._draft = Draft(turn, messages, self._dialogue, self._inbox.offer, self._output, self._marks)

    def go_on(self) -> None:
        draft, self._draft = self._draft, None
        if draft:
            draft.withdraw()

    def answer(self, speech: AudioChunk, silence_s: float, again: Turn | None) -> None:
        draft, self._draft = self._draft, None
        self._begin(speech, silence_s, draft or again)

    # -- the turn

    def _begin(self, speech: AudioChunk | str | None, ago_s: float = 0.0, begun: Draft | Turn | None = None) -> None:
        """A new turn, whose speech ended `ago_s` ago: whatever was being said is cut, and the dialogue is asked.
        `begun` is the draft of its answer, or a turn with a part of its question."""
        self.interrupt()
        self._unanswered.attempts = 0
        turn = begun.turn if isinstance(begun, Draft) else self._turn(speech, begun)
        messages = self._memory.history.messages(before=turn.number)
        now = self._marks.now()
        if isinstance(speech, AudioChunk):
            self._marks.mark(turn.number, Step.SPEECH_END, now - ago_s)
        self._marks.mark(turn.number, Step.TURN_END, now)
        if speech is not None:
            typed = speech if isinstance(speech, str) else ""
            self._memory.question(turn, typed)
            self._emit(UserSpoke(turn.number, typed, spoken=not isinstance(speech, str)))
            if typed:
                self._voice.words = ""
                self._note("user", typed, turn, 0.0)
        self._ask(turn, messages, self._dialogue, begun if isinstance(begun, Draft) else None)

    def _turn(self, speech: AudioChunk | str | None, again: Turn | None) -> Turn:
        if again is None:
            self._number += 1
            return Turn(self._number, speech)
        self._marks.forget(again.number)
        return Turn(again.number, speech)

    def _ask(self, turn: Turn, messages: list[Message], dialogue: Dialogue, draft: Draft | None = None) -> None:
        self._unanswered.asked()
        self._reply = Spoken(turn, dialogue, self._memory.now())
        self._sounding = None
        if draft:
            draft.release()
        else:
            dialogue.start(turn, messages, Answer(turn, self._inbox.offer, self._output, self._marks))

    def _retry(self, here: bool = False) -> None:
        question = self._unanswered.turn
        if question is None:
            return
        if self._reply:
            self.interrupt()
        else:
            self.go_on()  # an aside is let end
        turn = Turn(question.number, question.speech, repeated=self._unanswered.attempts > 0)
        self._marks.forget(turn.number)
        self._marks.mark(turn.number, Step.TURN_END)
        messages = self._memory.history.messages(before=turn.number)
        self._ask(turn, messages, self._built_in() if here else self._dialogue)

    def _retry_when_due(self) -> None:
        if self._unanswered.due(self._marks.now()) and self._reply is None and not self._voice.speaking:
            self._retry()

    def _open(self, command: Open) -> None:
        self.interrupt()
        self._voice.fall_silent()
        self._dialogue.forget()
        self._memory.open(command.history)
        self._number = self._opened_at = max(self._number, command.history.last_turn)
        self._unanswered.opened(command.history)
        self._sounding = None

    # -- the answer

    def _hear_of_reply(self, message: UserWords | Spoke | Anew | Ended) -> None:
        reply = self._reply
        if isinstance(message, UserWords):
            self._know_words(message)
        elif reply is None or message.turn is not reply.turn:
            return
        elif isinstance(message, Ended):
            reply.ended = message
            if message.error is not None:
                self._unanswered.keep(reply.turn, message.error, begun=bool(reply.pieces), now=self._marks.now())
        else:
            reply.take(message)
            self._sounding = Sounding(reply.turn, tuple(reply.pieces))
            if not isinstance(message, Spoke) or message.text:
                self._emit(Replying(reply.turn.number, reply.text))

    def _know_words(self, words: UserWords) -> None:
        """What the person said in a spoken turn became known."""
        if words.turn.number <= self._opened_at or not isinstance(speech := words.turn.speech, AudioChunk):
            return  # they belong to the conversation before this one, or to nobody: what was typed is known
        if self._reply and words.turn.number == self._reply.turn.number and words.turn is not self._reply.turn:
            return  # the question went on
        self._memory.question(words.turn, words.text)
        self._emit(UserSpoke(words.turn.number, words.text, spoken=True))
        if self._reply is not None and self._reply.turn is words.turn and not self._reply.sounding:
            self._voice.words = words.text
        self._note("user", words.text, words.turn, len(speech.samples) / CAPTURE_RATE)

    def _follow_reply(self) -> None:
        """Notice the first sound and the last of the current reply."""
        reply = self._reply
        if self._asides.follow(awaited=reply is not None and not reply.pieces) and not (reply and reply.sounding):
            self._voice.reply_over()
        if reply is None:
            return
        if not reply.sounding and self._output.shown(reply.turn):
            reply.sounding = True
            self._voice.words = ""
            number, typed = reply.turn.number, isinstance(reply.turn.speech, str)
            self._emit(TurnMeasured(number, typed, self._marks.stages(number)))
        if reply.sounding:
            self._memory.meanwhile(reply, self._output.heard(reply.turn))
        if reply.ended is not None and not self._output.pending(reply.turn):
            self._finish(reply)

    def _finish(self, reply: Spoken) -> None:
        self._reply, self._voice.words = None, ""
        self._voice.reply_over()
        ended = reply.ended
        text, unsaid = reply.split(reply.samples)
        text = text.strip()
        complete = ended is not None and ended.error is None and ended.verdict in _COMPLETE
        if text:
            self._memory.reply(reply, cut=not complete)
            self._note("avatar", text, reply.turn, None if reply.samples else 0.0)
        if ended is not None and ended.error is None:
            self._memory.withhold(reply.turn, ended.verdict is Verdict.FILTERED)
        if ended is not None:
            self._unanswered.answered(reply.turn, ended.verdict, spoken_for=bool(reply.samples), now=self._marks.now())
        if reply.pieces or ended is None or ended.error is None:
            self._emit(Replying(reply.turn.number, text, True, complete, unsaid, reply.stopped))
        if reply.go_on:
            self._obey(GoOn())

    def _show_status(self) -> None:
        status = self._present_status()
        if status is not self._status:
            self._status = status
            attempt = str(self._unanswered.attempts) if status is Status.RECONNECTING else ""
            self._emit(StatusChanged(status, attempt))

    def _present_status(self) -> Status:
        if not self._appeared:
            return Status.STARTING
        if self._voice.speaking:
            return Status.LISTENING
        if self._reply is not None:
            return Status.SPEAKING if self._reply.sounding else Status.THINKING
        return self._unanswered.status or (Status.READY if self._microphone_on else Status.MICROPHONE_OFF)

    def _end_quietly(self) -> None:
        """The app closes: what was heard so far is kept, without an event for anybody."""
        self.go_on()
        if reply := self._reply:
            reply.turn.cancel()
            reply.dialogue.cancel(reply.turn)
            self._memory.heard(reply, self._output.heard(reply.turn))
            if not reply.pieces and reply.turn.speech is not None:
                self._unanswered.turn = Turn(reply.turn.number, reply.turn.speech)
        self._memory.close()
