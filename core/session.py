"""Session: builds, starts and closes a live conversation. It has no behaviour of its own."""

from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.audio.sound import SoundLoop
from core.casting import Casting
from core.clock import SampleClock
from core.commands import Appear, Hold, Interrupt, Microphone, Open, Retry, Rules, Say
from core.conversation import Conversation
from core.dialogue.heard import heard_text
from core.dialogue.history import History
from core.errors import LiveTalkError
from core.events import AvatarChanged, ConversationOpened, Failed
from core.listening.turns import TurnRules, TurnTaker
from core.marks import Marks, Step
from core.media import MediaFormat
from core.performer.renderer import Renderer
from core.performer.still import StillPerformer
from core.performer.track import SpeechTrack
from core.playback.player import Played, Player
from core.playback.recorder import Line, Recorder
from core.settings import Settings, conversations_folder, live_only, recording_folder
from core.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from core.audio.device import SoundDevice
    from core.conversation import Listener
    from core.dialogue.protocol import Dialogue
    from core.events import Emit
    from core.media import FrameBlock, Pixels, SpeechSegment, TimedFrame, Turn
    from core.performer.protocol import Identity, Performer


@dataclass(frozen=True)
class Levels:
    """Loudness 0..1 of the person's microphone and of the avatar's voice."""

    microphone: float
    voice: float


@dataclass(frozen=True)
class Statistics:
    """Since the session began, but for `fps`, which is of the last two seconds."""

    fps: float
    shown: int
    late: int
    dropped: int
    underruns: int
    imagine_ms: float
    draw_ms: float
    half_duplex: bool


@dataclass(frozen=True)
class Caption:
    """Words as they sound now."""

    text: str
    by_user: bool = False


@dataclass(frozen=True)
class TranscriptEntry:
    """What one side said, for a window that shows an earlier conversation. `unheard` was cut off by the person;
    `answered` is False for a question without a reply."""

    role: Literal["user", "assistant"]
    text: str
    unheard: str
    time: datetime
    turn: int
    cut: bool
    answered: bool
    private: bool


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
    device: Callable[[Settings], SoundDevice]
    vad: Callable[[], Listener]
    now: Callable[[], float] = time.perf_counter
    today: Callable[[], datetime] = datetime.now


@dataclass
class _Pulse:
    """Frames shown in the last seconds, for the figure on the overlay. Window thread only."""

    times: list[float] = field(default_factory=lambda: list[float]())

    def beat(self, now: float) -> None:
        self.times = [at for at in self.times if now - at < 2.0] + [now]

    def fps(self, now: float) -> float:
        recent = [at for at in self.times if now - at < 2.0]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0


class Session:
    """A live conversation: use as a context. Its methods may be called from the window's thread; all return at once
    except `close`, which waits until every thread has ended.

    Args:
        settings: the tree the parts are made from; `apply` takes a changed one.
        emit: told every event, on whatever thread it happens.
        private: keep this conversation off the disk.
        greet: the built-in companion opens the conversation.
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
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._parts = parts
        self._greet = greet
        self._recorder: Recorder | None = None
        self._recording = ExitStack()
        self._to_record: deque[Path] = deque()
        self._portrait = settings.avatar.portrait
        self._name = parts.portrait_name(self._portrait)
        self._appeared = False
        self._pulse = _Pulse()
        self._last_shown: TimedFrame | None = None
        self.media = MediaFormat()
        self.marks = Marks(parts.now)
        self.clock = SampleClock()
        self.history = history or self._new_history(private)
        self.player = Player(self.media, self.clock)
        self.track = SpeechTrack(self.media.sample_rate, lambda: self.player.stock)
        self.player.moved = self.track.wake
        self.renderer = Renderer(self._load_performer, self._first_identity, self.track, self._deliver, emit, parts.now)
        self._casting = Casting(self._recast, emit)
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
                skip=self.player.skip,
            )
            self.sound.volume = settings.audio.volume
            self.sound.muted = settings.audio.muted
            self.sound.microphone_on = settings.audio.microphone_on
            self._dialogues = [parts.dialogue(settings, self._portrait)]
            stack.callback(self._dialogues[0].close)
            self.conversation = self._converse(settings, self._dialogues[0])
            self._stack = stack.pop_all()

    def __enter__(self) -> Session:
        """Start the threads: sound first, then the picture, then the conversation."""
        try:
            stack = self._stack
            stack.enter_context(Worker("sound", self.sound.run, self.sound.stop, self._emit))
            stack.enter_context(Worker("renderer", self.renderer.run, self._stop_rendering, self._emit))
            stack.enter_context(Worker("portrait", self._casting.run, self._casting.stop, self._emit))
            stack.enter_context(Worker("conversation", self.conversation.run, self.conversation.stop, self._emit))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End everything in reverse; a recording is finished, what was heard of a reply is kept."""
        self.stop_recording()
        self._finish_recording()
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
        counts, pace = self.player.counts, self.renderer.pace
        return Statistics(
            self._pulse.fps(self._parts.now()),
            counts.shown,
            counts.late,
            counts.dropped,
            self.sound.counts.underruns,
            pace.imagine_s * 1000,
            pace.draw_s * 1000,
            self.sound.half_duplex,
        )

    def caption(self) -> Caption | None:
        """The sentence of the reply that sounds now, up to the word that is being said."""
        spoken = self.conversation.spoken
        if spoken is None or spoken.turn.cancelled:
            return None
        heard = self.player.heard(spoken.turn, self.clock.position)
        if not heard:
            return None
        said, unsaid = heard_text(list(spoken.pieces), heard)
        if not unsaid.strip() and heard >= sum(samples for _, samples in spoken.pieces):
            return None
        return Caption(_sentence(said, unsaid))

    def transcript(self) -> list[TranscriptEntry]:
        """What was said so far, oldest first."""
        entries = self.history.entries
        replied = {entry.turn for entry in entries if entry.role == "assistant"}
        return [
            TranscriptEntry(
                entry.role,
                entry.text,
                entry.full_text[len(entry.text) :] if entry.cut else "",
                datetime.fromisoformat(entry.started),
                entry.turn,
                entry.cut,
                entry.turn in replied,
                self.history.private,
            )
            for entry in entries
        ]

    @property
    def avatar_name(self) -> str:
        return self._name

    @property
    def recorded_s(self) -> float | None:
        """Seconds in the recording that runs, None when none does."""
        return self._recorder.seconds if self._recorder and not self._recorder.over else None

    # -- what the person does

    def say(self, text: str) -> None:
        self.conversation.tell(Say(text))

    def interrupt(self) -> None:
        self.conversation.tell(Interrupt())

    def hold(self, pressed: bool) -> None:
        self.conversation.tell(Hold(pressed))

    def retry(self) -> None:
        self.conversation.tell(Retry())

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
        if self.recorded_s is not None or self._to_record:
            return
        self._to_record.append(path or recording_folder(self._settings.recording) / _recording_name(self._name))
        if self._appeared:
            self._record()

    def _record(self) -> None:
        """Begin the recording that was asked for, if one was; on the thread that asked, or with the first picture."""
        try:
            path = self._to_record.popleft()
        except IndexError:
            return
        try:
            spec = self.renderer.performer.result(0).spec
            recorder = Recorder(path, self.media, spec.width, spec.height, self._name, self._emit)
        except LiveTalkError as error:
            self._emit(Failed.of(error))
            return
        self._finish_recording()
        self._recording.enter_context(Worker("recorder", recorder.run, recorder.stop, self._emit))
        self.player.record_to(self._played)
        self._recorder = recorder

    def stop_recording(self) -> None:
        """Finish the file; `RecordingSaved` says when it is whole."""
        self._to_record.clear()
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self.player.record_to(None)
            recorder.stop()

    def _played(self, played: Played) -> None:
        """The film holds what was heard: a muted voice is silence in it too. Its loudness is the voice's own, not the
        room's."""
        if recorder := self._recorder:
            samples = np.zeros_like(played.samples) if self.sound.muted else played.samples
            recorder.played(Played(samples, played.frames, played.turn))

    def _finish_recording(self) -> None:
        """Wait until the recording before, which was stopped, is whole."""
        self._recording.close()

    def leave_conversation(self, path: Path) -> None:
        """When the conversation in `path` is the one that is open: write nothing more into it, and begin another."""
        if self.history.path == path:
            self.history.forget()
            self._open(self._new_history(private=False))

    # -- how it is put together

    def _listener(self) -> Listener:
        """The voice detector; without its model the avatar is deaf, says so, and reads what is typed."""
        try:
            return self._parts.vad()
        except LiveTalkError as error:
            self._emit(Failed.of(error))
            return _Deaf()

    def _stop_rendering(self) -> None:
        self.player.close()
        self.renderer.stop()

    def _converse(self, settings: Settings, dialogue: Dialogue) -> Conversation:
        return Conversation(
            vad=self._listener(),
            turns=TurnTaker(_rules(settings), settings.listening.hold_to_talk),
            dialogue=dialogue,
            built_in=_Once(self._companion),
            history=self.history,
            output=_Stage(self),
            emit=self._emit,
            marks=self.marks,
            media_rate=self.media.sample_rate,
            note=self._note,
            today=self._parts.today,
            microphone_on=settings.audio.microphone_on,
        )

    def _companion(self) -> Dialogue:
        """The built-in companion, beside an endpoint that does not answer."""
        companion = self._parts.built_in(self._settings, self._portrait)
        self._stack.callback(companion.close)
        self._dialogues.append(companion)
        return companion

    def _load_performer(self) -> Performer:
        """The chosen performer; when it cannot be loaded the person is told, and the portrait stays still."""
        try:
            return self._parts.performer(self._settings)
        except LiveTalkError as error:
            self._emit(Failed.of(error))
            return StillPerformer()

    def _first_identity(self, performer: Performer) -> Identity:
        """The chosen portrait; when it cannot serve (any more), the person is told and the default one appears."""
        try:
            return performer.prepare(self._parts.picture(self._portrait))
        except LiveTalkError as error:
            default = Settings().avatar.portrait
            if self._portrait == default:
                raise
            self._emit(Failed.of(error))
            self._portrait, self._name = default, self._parts.portrait_name(default)
            return performer.prepare(self._parts.picture(default))

    def _deliver(self, block: FrameBlock, fade: int) -> bool:
        taken = self.player.put(block, fade)
        if block.turn is not None and taken:
            self.marks.mark(block.turn.number, Step.FIRST_FRAME)
        if not self._appeared:
            self._appeared = True
            self._emit(AvatarChanged(self._portrait, self._name))
            self.conversation.tell(Appear(self._greet and not self.history.entries))
            self._record()
        return taken

    def _recast(self, key: str) -> Callable[[], None]:
        """Look at a portrait (thread "portrait"); what is returned puts it on the stage."""
        identity = self.renderer.performer.result().prepare(self._parts.picture(key))
        name = self._parts.portrait_name(key)

        def enter() -> None:
            self.renderer.change(identity)
            self._portrait, self._name = key, name
            for dialogue in tuple(self._dialogues):
                self._parts.introduce(dialogue, self._settings, key)
            self._emit(AvatarChanged(key, name))

        return enter

    def _new_history(self, private: bool) -> History:
        started = self._parts.today().isoformat(timespec="seconds")
        kept = self._settings.privacy.save_conversations and not private
        return History(self._name, started, conversations_folder() if kept else None)

    def _open(self, history: History) -> None:
        self.history = history
        self.conversation.tell(Open(history))
        self._emit(ConversationOpened(history.private))

    def _note(self, speaker: str, text: str, turn: Turn, seconds: float | None) -> None:
        if recorder := self._recorder:
            name = self._name if speaker == "avatar" else "You"
            recorder.line(Line(name, text, turn.number, seconds))


_EVER = 1 << 62


class _Stage:
    """The conversation's hand on playback and sound (`core.conversation.Output`)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, segment: SpeechSegment) -> bool:
        return self._session.track.put(segment)

    def drop(self, turn: Turn) -> None:
        self._session.track.drop(turn)

    def pending(self, turn: Turn) -> bool:
        """Until it was acted out, played, and has left the loudspeaker; what a lost device swallowed has left too."""
        session = self._session
        if session.track.pending(turn) or session.renderer.acting(turn) or session.player.waiting(turn):
            return True
        return self.heard(turn) < session.player.heard(turn, _EVER)

    def heard(self, turn: Turn) -> int:
        return self._session.player.heard(turn, self._session.clock.position)

    def shown(self, turn: Turn) -> bool:
        if not self.heard(turn):
            return False
        self._session.marks.mark(turn.number, Step.SHOWN)
        return True

    def silence(self, turn: Turn) -> int:
        self._session.player.cut(turn)
        self._session.sound.hush()
        return self._session.player.heard(turn, _EVER)


class _Deaf:
    """Hears nothing: there is no voice detector."""

    def __call__(self, chunk: object) -> float:
        return 0.0

    def reset(self) -> None:
        pass


class _Once:
    """Makes a thing when it is first asked for."""

    def __init__(self, make: Callable[[], Dialogue]) -> None:
        self._make = make
        self._made: Dialogue | None = None

    def __call__(self) -> Dialogue:
        if self._made is None:
            self._made = self._make()
        return self._made


def _rules(settings: Settings) -> TurnRules:
    return TurnRules.for_sensitivity(settings.listening.sensitivity, settings.listening.silence_ms)


def _recording_name(avatar: str) -> Path:
    return Path(f"{avatar} {datetime.now():%Y-%m-%d %H.%M.%S}.mp4")


def _sentence(said: str, unsaid: str) -> str:
    """The sentence in which `said` ends, whole."""
    start = max((said.rfind(mark) + 1 for mark in ".!?…\n"), default=0)
    if not said[start:].strip() and start:
        start = max((said[: start - 1].rfind(mark) + 1 for mark in ".!?…\n"), default=0)
    ends = [position + 1 for mark in ".!?…\n" if (position := unsaid.find(mark)) >= 0]
    tail = "" if said[start:].rstrip()[-1:] in set(".!?…") else unsaid[: min(ends, default=len(unsaid))]
    return (said[start:] + tail).strip()
