"""Session: builds, starts and closes a live conversation. It has no behaviour of its own."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.audio.pairs import Pairs, pairs_path
from core.audio.sound import SoundLoop
from core.camera import Camera
from core.casting import Casting
from core.clock import SampleClock
from core.commands import Appear, GoOn, Hold, Interrupt, Microphone, Open, Retry, Rules, Say
from core.conversation import Conversation
from core.dialogue.history import History
from core.events import AvatarChanged, ConversationOpened, Failed
from core.hearing import Hearing
from core.listening.judge import Judge
from core.listening.turns import TurnRules, TurnTaker
from core.marks import Marks, Step
from core.memory import Memory
from core.performer.renderer import Renderer
from core.performer.track import SpeechTrack
from core.playback.player import Player
from core.playback.recorder import Recorder
from core.scribe import Scribe
from core.settings import Settings, conversations_folder, live_only, recording_folder
from core.stage import Stage
from core.unanswered import Unanswered, kept_question
from core.understudy import load_lesser, load_listener, load_performer
from core.views import Caption, Levels, Pulse, Statistics, TranscriptEntry, caption, transcript
from core.worker import Worker

if TYPE_CHECKING:
    from types import TracebackType

    from core.dialogue.protocol import Dialogue
    from core.events import Emit
    from core.media import FrameBlock, TimedFrame, Turn
    from core.performer.protocol import Said
    from core.session_parts import Parts


class Session:
    """A live conversation: use as a context. Its methods may be called from the window's thread; all return at once
    except `close`, which waits until every thread has ended.

    Args:
        settings: the tree the parts are made from; `apply` takes a changed one.
        emit: told every event, on whatever thread it happens.
        private: keep this conversation off the disk.
        greet: the built-in companion opens the conversation.
        history: go on with this one.
        question: was asked in it and nobody has answered yet; `retry` asks it again.
    """

    def __init__(
        self,
        settings: Settings,
        emit: Emit,
        parts: Parts,
        *,
        private: bool = False,
        greet: bool = True,
        history: History | None = None,
        question: Turn | None = None,
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._parts = parts
        self._greet = greet
        self._appeared = False
        self._pulse = Pulse()
        self._last_shown: TimedFrame | None = None
        self.media = parts.media(settings)
        self.marks = Marks(parts.now)
        self.clock = SampleClock()
        self.player = Player(self.media, self.clock)
        self.track = SpeechTrack(self.media.sample_rate, lambda: self.player.stock)
        self.player.moved = self.track.wake
        self.renderer = Renderer(
            lambda: load_performer(parts, self._settings, self.media, emit),
            lambda performer: self._casting.first(performer),
            self.track,
            self._deliver,
            self.player.make_way,
            emit,
            parts.now,
            make_lesser=lambda spec: load_lesser(parts, self._settings, self.media, spec),
        )
        self._casting = Casting(
            settings.avatar.portrait, parts.picture, parts.portrait_name, self.renderer, self._introduce, emit
        )
        self.history = history or self._new_history(private)
        with ExitStack() as stack:
            device = parts.device(settings)
            stack.callback(device.close)
            self.sound = SoundLoop(
                device,
                self.clock,
                self.player.fill,
                lambda chunk: self.conversation.hear(chunk),
                emit,
                now=parts.now,
                echo=settings.audio.echo,
                pairs=Pairs(pairs_path()),
                skip=self.player.skip,
            )
            self.sound.volume = settings.audio.volume
            self.sound.muted = settings.audio.muted
            self.sound.microphone_on = settings.audio.microphone_on
            self._camera = Camera(self.player, self._recorder, self.sound.loudness, emit)
            self._scribe = Scribe(parts.transcribe, lambda glimpsed: self.conversation.tell(glimpsed))
            self.judge = self._make_judge()
            self._dialogues = [parts.dialogue(settings, self._casting.portrait)]
            stack.callback(self._dialogues[0].close)
            self.conversation = self._converse(settings, self._dialogues[0], question)
            self._stack = stack.pop_all()

    def __enter__(self) -> Session:
        """Start the threads: sound first, then the picture, then the conversation."""
        try:
            stack = self._stack
            stack.enter_context(Worker("sound", self.sound.run, self.sound.stop, self._emit))
            stack.enter_context(Worker("renderer", self.renderer.run, self._stop_rendering, self._emit))
            stack.enter_context(Worker("portrait", self._casting.run, self._casting.stop, self._emit))
            stack.enter_context(Worker("scribe", self._scribe.run, self._scribe.stop, self._emit))
            if self.judge:
                stack.enter_context(Worker("judge", self.judge.run, self.judge.stop, self._emit))
            stack.enter_context(Worker("conversation", self.conversation.run, self.conversation.stop, self._emit))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End everything in reverse; a recording is finished, what was heard of a reply is kept."""
        self._camera.stop()
        self._camera.finish()
        self._stack.close()

    # -- what the window pulls

    def frame_due(self) -> TimedFrame | None:
        """The newest frame due now; the same object until a newer one is due. None before the first."""
        frame = self.player.frame_at(self.clock.position)
        if frame is not None and frame is not self._last_shown:
            self._last_shown = frame
            self._pulse.beat(self._parts.now())
            if frame.turn is not None:
                self.marks.mark(frame.turn.number, Step.SHOWN)
        return frame

    def levels(self) -> Levels:
        return Levels(self.sound.microphone_level, self.sound.voice_level)

    def statistics(self) -> Statistics:
        counts = self.player.counts
        return Statistics(
            self._pulse.fps(self._parts.now()),
            counts.shown,
            counts.late,
            counts.dropped,
            self.sound.counts.underruns,
            self.sound.half_duplex,
            self.renderer.variant,
        )

    def caption(self) -> Caption | None:
        """The words of this moment: the avatar's as they sound, else the person's as they are understood."""
        sounding = self.conversation.sounding
        heard = self.player.heard(sounding.turn, self.clock.position) if sounding else 0
        return caption(sounding, heard, self.conversation.person)

    def transcript(self) -> list[TranscriptEntry]:
        """What was said so far, oldest first."""
        return transcript(self.history)

    @property
    def question(self) -> Turn | None:
        """What the person asked and nobody has answered yet; ask when the session is closed."""
        return self.conversation.question

    @property
    def recorded_s(self) -> float | None:
        """Seconds in the recording that runs, None when none does."""
        return self._camera.recorded_s

    @property
    def avatar_name(self) -> str:
        return self._casting.name

    # -- what the person does

    def say(self, text: str) -> None:
        self.conversation.tell(Say(text))

    def interrupt(self) -> None:
        self.conversation.tell(Interrupt())

    def hold(self, pressed: bool) -> None:
        self.conversation.tell(Hold(pressed))

    def retry(self) -> None:
        self.conversation.tell(Retry())

    def go_on(self) -> None:
        """Ask for the rest of an answer that stopped before its end."""
        self.conversation.tell(GoOn())

    def answer_here(self) -> None:
        self.conversation.tell(Retry(here=True))

    def set_microphone(self, on: bool) -> None:
        self.sound.microphone_on = on
        self.conversation.tell(Microphone(on))

    def set_muted(self, muted: bool) -> None:
        self.sound.muted = muted

    def set_volume(self, volume: float) -> None:
        self.sound.volume = volume

    def apply(self, settings: Settings) -> bool:
        """Take over what can change while talking; False when `settings` asks for another session."""
        if not live_only(self._settings, settings):
            return False
        if settings.audio.microphone_on != self._settings.audio.microphone_on:
            self.set_microphone(settings.audio.microphone_on)
        self.set_volume(settings.audio.volume)
        self.set_muted(settings.audio.muted)
        self.conversation.tell(Rules(_rules(settings), settings.listening.hold_to_talk))
        before, avatar = self._settings.avatar, settings.avatar
        if (avatar.style, avatar.motion_amount) != (before.style, before.motion_amount):
            self.renderer.direct(avatar.style, avatar.motion_amount)
        self._settings = settings
        return True

    def change_avatar(self, key: str) -> None:
        """Put the portrait with this key on the stage; it is looked at on a thread of its own. Ends in
        `AvatarChanged`, or in `Failed` and the old portrait stays. The newest wish wins."""
        self._casting.ask(key)

    def look(self, path: Path, said: Said) -> None:
        """Look at a picture, with what the person says of it, without putting it on the stage. Waits: any thread but
        the window's.

        Raises:
            PerformerError: it cannot serve; the reason and what to do are in it.
        """
        self.renderer.performer.result().prepare(self._parts.picture(str(path)), said)

    def new_conversation(self, private: bool) -> None:
        self._open(self._new_history(private))

    def open_conversation(self, path: Path) -> None:
        """Go on with an earlier conversation.

        Raises:
            LiveTalkError: `HISTORY_UNREADABLE`.
        """
        self._open(History.reopen(path))

    def start_recording(self, path: Path | None = None) -> None:
        """Record from here on, or from the first picture on; ends in `RecordingSaved` or `Failed`, after which another
        may be started."""
        name = _recording_name(self._casting.name)
        wanted = self._camera.want(path or recording_folder(self._settings.recording) / name)
        if wanted and self._appeared:
            self._camera.roll()

    def stop_recording(self) -> None:
        """Finish the file; `RecordingSaved` says when it is whole."""
        self._camera.stop()

    def leave_conversation(self, path: Path) -> None:
        """When the conversation in `path` is the one that is open: write nothing more into it, and begin another."""
        if self.history.path == path:
            self.history.forget()
            self._open(self._new_history(private=False))

    # -- how it is put together

    def _stop_rendering(self) -> None:
        self.player.close()
        self.renderer.stop()

    def _converse(self, settings: Settings, dialogue: Dialogue, question: Turn | None) -> Conversation:
        return Conversation(
            hearing=Hearing(
                load_listener(self._parts, self._emit),
                TurnTaker(_rules(settings), settings.listening.hold_to_talk, judged=self.judge is not None),
            ),
            scribe=self._scribe,
            judge=self.judge,
            memory=Memory(self.history, self.media.sample_rate, self._parts.today, self._emit),
            unanswered=Unanswered(question or kept_question(self.history), self._emit),
            dialogue=dialogue,
            built_in=cache(self._companion),
            output=Stage(self.track, self.renderer, self.player, self.sound, self.clock, self.marks),
            emit=self._emit,
            marks=self.marks,
            media_rate=self.media.sample_rate,
            note=self._note,
            microphone_on=settings.audio.microphone_on,
            drafts=self._parts.drafts(settings),
        )

    def _make_judge(self) -> Judge | None:
        ending, understand = self._parts.ending, self._parts.understand
        if ending is None or understand is None:
            return None
        return Judge(
            ending,
            understand,
            report=lambda answer: self.conversation.tell(answer),
            trouble=lambda error: self._emit(Failed.of(error)),
        )

    def _recorder(self, path: Path) -> Recorder:
        spec = self.renderer.performer.result(0).spec
        return Recorder(path, self.media, spec.width, spec.height, self._casting.name, self._emit)

    def _companion(self) -> Dialogue:
        """The built-in companion, beside an endpoint that does not answer."""
        companion = self._parts.built_in(self._settings, self._casting.portrait)
        self._stack.callback(companion.close)
        self._dialogues.append(companion)
        return companion

    def _introduce(self, portrait: str) -> None:
        """Whoever answers speaks as the portrait with this key (thread "portrait")."""
        for dialogue in tuple(self._dialogues):
            self._parts.introduce(dialogue, self._settings, portrait)

    def _deliver(self, block: FrameBlock, fade: int) -> bool:
        taken = self.player.put(block, fade)
        if block.turn is not None and taken:
            self.marks.mark(block.turn.number, Step.FIRST_FRAME)
        if not self._appeared:
            self._appeared = True
            self._emit(AvatarChanged(self._casting.portrait, self._casting.name))
            self.conversation.tell(Appear(self._greet and not self.history.entries))
            self._camera.roll()
        return taken

    def _new_history(self, private: bool) -> History:
        started = self._parts.today().isoformat(timespec="seconds")
        kept = self._settings.privacy.save_conversations and not private
        return History(self._casting.name, started, conversations_folder() if kept else None)

    def _open(self, history: History) -> None:
        self.history = history
        self.conversation.tell(Open(history))
        self._emit(ConversationOpened(history.private))

    def _note(self, speaker: str, text: str, turn: Turn, seconds: float | None) -> None:
        self._camera.line(self._casting.name if speaker == "avatar" else "You", text, turn, seconds)


def _rules(settings: Settings) -> TurnRules:
    return TurnRules.for_sensitivity(settings.listening.sensitivity, settings.listening.silence_ms)


def _recording_name(avatar: str) -> Path:
    return Path(f"{avatar} {datetime.now():%Y-%m-%d %H.%M.%S}.mp4")
