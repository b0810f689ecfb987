"""Recorder: what was shown and heard, as it was, into an mp4 with its transcript beside it."""

from __future__ import annotations

import errno
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av.error

from core.channel import Channel, Closed
from core.errors import Problem, RecordingError
from core.events import Failed, RecordingSaved, RecordingStarted
from core.playback.mp4 import Mp4Writer
from core.playback.player import Played
from core.playback.subtitles import SubtitleWriter

if TYPE_CHECKING:
    from pathlib import Path

    from core.events import Emit
    from core.media import MediaFormat

_QUEUE_S = 4
_LEAST_FREE_BYTES = 20_000_000
_CHECK_FREE_EVERY_S = 2


@dataclass(frozen=True)
class Line:
    """Words for the transcript. `turn` names whose sound the words belong to; for the person's words it is the turn
    they began, and `seconds` how long they spoke."""

    speaker: str
    text: str
    turn: int
    seconds: float | None = None


class Recorder:
    """One recording, on the thread "recorder"; `played` and `line` may be called from any thread and never wait.

    The file's time is the media that was heard: what an interruption flushed is not in it. Use `run` and `stop` with a
    `Worker`.

    Raises:
        RecordingError: the folder cannot be written or the disk is full (from the constructor).
    """

    def __init__(self, path: Path, media: MediaFormat, width: int, height: int, title: str, emit: Emit) -> None:
        self._path = path
        self._media = media
        self._emit = emit
        self._size = (width, height)
        self._inbox: Channel[Played | Line] = Channel(
            _QUEUE_S * media.sample_rate, lambda item: len(item.samples) if isinstance(item, Played) else 0
        )
        self._title = title
        self._spans: dict[int, tuple[int, int]] = {}
        self._position = 0
        self._next_check = 0
        self._overrun = False
        self.over = False
        """Whether the file has ended, well or not; nothing is written any more."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._check_room()
            self._subtitles = SubtitleWriter(path.with_suffix(".vtt"))
        except OSError as error:
            raise _unwritable(path, error) from error

    def run(self) -> None:
        """Write until stopped; whatever happens, the file is ended and what is in it is kept."""
        try:
            outcome = self._record()
        finally:
            self.over = True
            self._inbox.close()
            self._inbox.drop(lambda _: True)
        self._emit(outcome)

    def _record(self) -> RecordingSaved | Failed:
        try:
            writer = Mp4Writer(self._path, self._media, *self._size, title=self._title)
        except (OSError, av.error.FFmpegError) as error:
            self._subtitles.close()
            raise _unwritable(self._path, error) from error
        self._emit(RecordingStarted(self._path))
        try:
            self._write_all(writer)
        except (OSError, av.error.FFmpegError) as error:
            self._close_quietly(writer)
            return Failed.of(self._stopped(error))
        return RecordingSaved(self._path, self._path.with_suffix(".vtt"), self.seconds)

    @property
    def path(self) -> Path:
        return self._path

    @property
    def seconds(self) -> float:
        """How much is in the file."""
        return self._position / self._media.sample_rate

    def played(self, played: Played) -> None:
        """What has just been heard and shown. Never waits: a disk that cannot keep up ends the recording."""
        if self._inbox.dropped:
            self._overrun = True
        else:
            self._inbox.offer(played)

    def line(self, line: Line) -> None:
        self._inbox.offer(line)

    def stop(self) -> None:
        self._inbox.close()

    def _write_all(self, writer: Mp4Writer) -> None:
        try:
            while True:
                item = self._inbox.take()
                if isinstance(item, Line):
                    self._write_line(item)
                else:
                    self._write(writer, item)
                if self._overrun:
                    raise OSError(errno.EIO, "the disk could not keep up")
        except Closed:
            writer.close()
            self._subtitles.close()

    def _write(self, writer: Mp4Writer, played: Played) -> None:
        self._check_room()
        for offset, pixels in played.frames:
            writer.picture(pixels, self._position + offset)
        writer.sound(played.samples)
        end = self._position + len(played.samples)
        if played.turn is not None:
            start = self._spans.get(played.turn.number, (self._position, end))[0]
            self._spans[played.turn.number] = (start, end)
        self._position = end

    def _write_line(self, line: Line) -> None:
        rate = self._media.sample_rate
        if line.seconds is not None:
            end = self.seconds
            self._subtitles.say(line.speaker, line.text, max(0.0, end - line.seconds), end)
        elif line.turn in self._spans:
            start, until = self._spans[line.turn]
            self._subtitles.say(line.speaker, line.text, start / rate, until / rate)

    def _check_room(self) -> None:
        if self._position < self._next_check:
            return
        self._next_check = self._position + _CHECK_FREE_EVERY_S * self._media.sample_rate
        if shutil.disk_usage(self._path.parent).free < _LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, "less than 20 MB are free")

    def _close_quietly(self, writer: Mp4Writer) -> None:
        """After a write failed: fragments already written play; ending the file may fail too, and need not succeed."""
        for close in (writer.close, self._subtitles.close):
            try:
                close()
            except (OSError, av.error.FFmpegError):
                continue

    def _stopped(self, error: Exception) -> RecordingError:
        minutes, seconds = divmod(int(self.seconds), 60)
        saved = f"{minutes} min {seconds} s were saved." if minutes else f"{seconds} s were saved."
        if _full(error):
            return RecordingError(Problem.DISK_FULL, "Recording stopped: the disk is full.", saved, detail=str(error))
        return RecordingError(
            Problem.RECORDING_FAILED, "Recording stopped: the file could not be written.", saved, detail=str(error)
        )


def _full(error: Exception) -> bool:
    return getattr(error, "errno", None) in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


def _unwritable(path: Path, error: Exception) -> RecordingError:
    if _full(error):
        return RecordingError(
            Problem.FOLDER_UNWRITABLE,
            f'Recordings can\'t be written to "{path.parent}": the disk is full.',
            "Make room there, or choose another folder in Settings, Recording.",
            detail=str(error),
        )
    return RecordingError(
        Problem.FOLDER_UNWRITABLE,
        f'Recordings can\'t be written to "{path.parent}".',
        "Choose another folder in Settings, Recording.",
        detail=str(error),
    )
