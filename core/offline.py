"""Render a file: the same performer and the same blocks, without devices or clocks."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from core.errors import LiveTalkError, Problem
from core.media import MediaFormat, SpeechBlock
from core.playback.mp4 import Mp4Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from core.media import Samples
    from core.performer.protocol import Frames, Identity, Performance, Performer


@dataclass(frozen=True)
class RenderReport:
    """What rendering a file took."""

    frames: int
    fps: int
    seconds: float
    """Of wall time, from the first block to the closed file."""
    real_time_factor: float
    """Seconds spent per second of video; under 1 is faster than real time."""
    first_frame_s: float
    peak_rss_mb: float


def read_sound(path: Path, rate: int) -> Samples:
    """Mono float32 at `rate` from any file libsndfile reads (wav, flac, ogg, mp3): channels averaged, resampled.

    Raises:
        LiveTalkError: `SOUND_UNREADABLE` — no such file, not sound, empty, or not finite.
    """
    if not path.is_file():
        raise _unreadable(path, "There is no such file.", "not a file")
    try:
        sound, own_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise _unreadable(path, "It may be damaged, or of a kind that is not sound.", str(error)) from error
    mono = sound.mean(axis=1)
    if not len(mono):
        raise _unreadable(path, "It holds no sound.", "0 samples")
    if not np.isfinite(mono).all():
        raise _unreadable(path, "It holds values that are no sound (not a number).", "non-finite samples")
    return np.asarray(soxr.resample(mono - mono.mean(), own_rate, rate), np.float32)


def render(
    performer: Performer,
    identity: Identity,
    samples: Samples,
    out: Path,
    seed: int,
    now: Callable[[], float],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RenderReport:
    """Act out `samples` (mono, the performer's sample rate) to an mp4 with the sound; as fast as it goes.

    The file ends with the sound: the last block is padded with silence and cut. `progress` is told frames done and
    frames in all.
    """
    spec = performer.spec
    per_frame = spec.samples_per_frame
    total = -(-len(samples) // per_frame)
    writer = Mp4Writer(out, MediaFormat(spec.sample_rate, spec.fps), spec.width, spec.height)
    performance = performer.open(identity, seed)
    started = now()
    first_frame_s = 0.0
    done = 0
    try:
        on_its_way: Frames | None = None
        for block in _blocks(performance, samples, per_frame, spec.lookahead):
            drawn = performance.draw(performance.imagine(block))
            if on_its_way is not None:
                done = _write(writer, on_its_way, samples, done, total, per_frame)
                first_frame_s = first_frame_s or now() - started
                progress(done, total)
            on_its_way = drawn
        if on_its_way is not None:
            done = _write(writer, on_its_way, samples, done, total, per_frame)
            first_frame_s = first_frame_s or now() - started
            progress(done, total)
    finally:
        performance.close()
        writer.close()
    seconds = now() - started
    return RenderReport(done, spec.fps, seconds, seconds * spec.fps / max(1, done), first_frame_s, peak_rss_mb())


def peak_rss_mb() -> float:
    """The most memory this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _blocks(performance: Performance, samples: Samples, per_frame: int, lookahead: int) -> Iterator[SpeechBlock]:
    at = 0
    while at < len(samples):
        length = performance.next_frames * per_frame
        yield SpeechBlock(None, _piece(samples, at, length), _piece(samples, at + length, lookahead))
        at += length


def _piece(samples: Samples, start: int, length: int) -> Samples:
    piece = np.zeros(length, np.float32)
    there = samples[start : start + length]
    piece[: len(there)] = there
    return piece


def _write(writer: Mp4Writer, drawn: Frames, samples: Samples, done: int, total: int, per_frame: int) -> int:
    """Write the drawn frames, each with its own sound; returns how many are written in all."""
    for picture in drawn.wait()[: total - done]:
        writer.picture(picture, done * per_frame)
        writer.sound(_piece(samples, done * per_frame, per_frame))
        done += 1
    return done


def _unreadable(path: Path, advice: str, detail: str) -> LiveTalkError:
    return LiveTalkError(Problem.SOUND_UNREADABLE, f'"{path.name}" can\'t be read as sound.', advice, detail=detail)
