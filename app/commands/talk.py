"""Talk: a conversation after a script, in real time, through the Session that the window uses."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import RECORDING_PROBLEMS, LiveTalkError, Problem
from core.events import (
    AvatarChanged,
    Crashed,
    Failed,
    Interrupted,
    RecordingSaved,
    Replying,
    TurnMeasured,
    UserSpoke,
)
from core.media import CAPTURE_RATE
from core.offline import read_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.audio.software import SoftwareSound
    from core.events import SessionEvent
    from core.session import Session

LOOK_S = 1 / 60
"""How often the frame that is due is asked for, as a window would."""
START_LIMIT_S = 120.0
REPLY_LIMIT_S = 180.0
SAVE_LIMIT_S = 60.0
_QUIET_S = 1.5
"""So long after the last sample said into the microphone the person's turn has begun, if it was heard at all."""
_MARKS = {
    "end_of_speech": "speech_end",
    "end_of_turn": "turn_end",
    "first_text": "first_text",
    "first_audio": "first_sound",
    "first_frame_drawn": "first_frame",
    "first_frame_shown": "shown",
}


@dataclass(frozen=True)
class TurnReport:
    """One turn of the script and what came of it. `marks` are seconds after the end of the person's speech (after
    sending, for a typed turn); None for a step that never happened."""

    user: str
    avatar: str
    spoken: bool
    marks: dict[str, float | None]
    stages: dict[str, float]
    heard_s: float
    complete: bool
    underruns: int
    dropped_frames: int
    problem: str = ""


@dataclass
class _Heard:
    """What the events told of the turn so far."""

    number: int = 0
    user: list[str] = field(default_factory=lambda: list[str]())
    avatar: str = ""
    cut: bool = False
    over: bool = False
    problem: str = ""
    advice: str = ""
    asked_again: bool = False
    """The endpoint was busy and the conversation will ask it once more."""
    stages: dict[str, float] = field(default_factory=lambda: dict[str, float]())

    def take(self, event: SessionEvent) -> None:
        """A later turn (the person spoke in two parts) takes the place of the one before."""
        if isinstance(event, UserSpoke | Replying) and event.turn > self.number:
            self.number, self.over, self.cut, self.avatar = event.turn, False, False, ""
            self.problem, self.advice, self.asked_again = "", "", False
        match event:
            case UserSpoke(text=text) if text:
                self.user.append(text)
            case Replying(turn=turn, text=text, done=done, complete=complete) if turn == self.number:
                if self.asked_again and text:
                    self.asked_again, self.problem, self.advice = False, "", ""
                self.avatar, self.over, self.cut = text, done and not self.asked_again, not complete
                if not complete:
                    self.problem = self.problem or "The answer is not whole."
            case Interrupted(turn=turn, heard=heard) if turn == self.number:
                self.avatar, self.cut, self.over = heard, True, True
            case Failed(turn=turn, problem=problem, title=title, retry_after_s=retry) if turn == self.number:
                self.problem, self.advice = title, event.advice
                self.asked_again = problem is Problem.ENDPOINT_BUSY and retry is not None
                self.over = not self.avatar and not self.asked_again
            case TurnMeasured(turn=turn, stages=stages) if turn == self.number:
                self.stages = stages
            case _:
                pass


class Talk:
    """Holds a conversation with `session`, whose events arrive in `events`. One thread, in the window's place.

    Args:
        tell: given lines for people.
        now: seconds.
    """

    def __init__(
        self,
        session: Session,
        sound: SoftwareSound,
        events: queue.SimpleQueue[SessionEvent],
        tell: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        self._session = session
        self._sound = sound
        self._events = events
        self._tell = tell
        self._now = now

    def begin(self) -> None:
        """Wait until the avatar is there.

        Raises:
            LiveTalkError: it could not be brought up.
        """
        limit = self._now() + START_LIMIT_S
        performer = self._session.renderer.performer
        while not isinstance(self.look(), AvatarChanged):
            if performer.done() and (error := performer.exception()):
                raise error
            if self._now() > limit:
                raise _late("The avatar did not appear.")

    def record(self, out: Path) -> None:
        self._session.start_recording(out)

    def finish_recording(self) -> RecordingSaved:
        """End the file and wait until it is whole.

        Raises:
            LiveTalkError: it could not be written.
        """
        self._session.stop_recording()
        limit = self._now() + SAVE_LIMIT_S
        while not isinstance(event := self.look(), RecordingSaved):
            if self._now() > limit:
                raise _late("The recording was not finished.")
        return event

    def turn(self, said: str | Path) -> TurnReport:
        """Type a line, or say a recording into the microphone, and listen to the answer to its end."""
        before = self._session.statistics()
        if isinstance(said, Path):
            self._tell(f"You   (speaking: {said.name})")
            self._sound.play_into_microphone(read_sound(said, CAPTURE_RATE))
            heard = self._listen_to_answer(self._now())
        else:
            self._tell(f"You   {said}")
            self._session.say(said)
            heard = self._listen_to_answer(None)
        return self._report(said, heard, before.underruns, before.dropped)

    def look(self, seconds: float = LOOK_S) -> SessionEvent | None:
        """Show what is due, then wait for one event at most `seconds`; trouble that is no turn's is told.

        Raises:
            LiveTalkError: a part of the engine stopped, or the recording did.
        """
        self._session.frame_due()
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(event, Crashed):
            raise LiveTalkError(
                Problem.UNEXPECTED,
                f'The part "{event.worker}" stopped unexpectedly.',
                "Run the command again with --verbose and report what it says.",
                detail=event.report,
            )
        if isinstance(event, Failed) and event.turn is None:
            if event.problem in RECORDING_PROBLEMS:
                raise LiveTalkError(event.problem, event.title, event.advice, detail=event.detail)
            self._tell(f"{event.title} {event.advice}")
        return event

    def _listen_to_answer(self, quiet_since: float | None) -> _Heard:
        heard = _Heard()
        limit = self._now() + REPLY_LIMIT_S
        while not heard.over or self._still_speaking(quiet_since):
            if event := self.look():
                heard.take(event)
            if self._sound.microphone.pending and quiet_since is not None:
                quiet_since = self._now()
                limit = quiet_since + REPLY_LIMIT_S
            if quiet_since is not None and not heard.number and self._now() > quiet_since + _QUIET_S:
                heard.problem = "No speech was heard in the recording."
                break
            if self._now() > limit:
                heard.problem = heard.problem or "The answer did not end in time."
                break
        return heard

    def _still_speaking(self, quiet_since: float | None) -> bool:
        """Speech with a pause is answered at the pause; the answer that counts comes after the last of it."""
        return quiet_since is not None and self._now() < quiet_since + _QUIET_S

    def _report(self, said: str | Path, heard: _Heard, underruns: int, dropped: int) -> TurnReport:
        after = self._session.statistics()
        since = self._session.marks.since_end(heard.number)
        marks = {name: since.get(step) for name, step in _MARKS.items()}
        if marks["end_of_speech"] is None:
            marks["end_of_speech"] = marks["end_of_turn"]
        user = said if isinstance(said, str) else " ".join(heard.user)
        if isinstance(said, Path) and user:
            self._tell(f"      “{user}”")
        if heard.avatar:
            self._tell(f"{self._session.avatar_name}  {heard.avatar}")
        if heard.problem:
            self._tell(f"{heard.problem} {heard.advice}".rstrip())
        return TurnReport(
            user=user,
            avatar=heard.avatar,
            spoken=isinstance(said, Path),
            marks=marks,
            stages=heard.stages,
            heard_s=self._heard_s(heard.number),
            complete=heard.over and not heard.cut and not heard.problem,
            underruns=after.underruns - underruns,
            dropped_frames=after.dropped - dropped,
            problem=heard.problem,
        )

    def _heard_s(self, number: int) -> float:
        """Seconds of the reply that left the loudspeaker, without the silence that fills its last block."""
        spoken = self._session.conversation.sounding
        if spoken is None or spoken.turn.number != number:
            return 0.0
        heard = self._session.player.heard(spoken.turn, self._session.clock.position)
        return min(heard, sum(samples for _, samples in spoken.pieces)) / self._session.media.sample_rate


def _late(title: str) -> LiveTalkError:
    return LiveTalkError(Problem.UNEXPECTED, title, "Run livetalk doctor to see what is missing.")
