"""Figures of the engine alone: one performer, no devices, no conversation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from app.commands.questions import speak_questions
from core.media import SpeechBlock
from core.offline import peak_rss_mb, read_sound, render
from core.parts import make_performer, portrait

if TYPE_CHECKING:
    from pathlib import Path

    from app.commands.terminal import Terminal
    from core.media import Samples
    from core.performer.protocol import Identity, Performer
    from core.settings import AvatarSettings

BLOCKS = 40
_SPEECH = (
    "The embedded avatar runs on a processor, block by block, and its lips follow every word that is said. "
    "Between the sentences it breathes, it blinks, and it looks at you, because a living face is never quite still. "
    "This paragraph exists to be measured, so it goes on for a while with peas, beans, mums, fathers and vans."
)


def measure_engine(avatar: AvatarSettings, folder: Path, terminal: Terminal) -> dict[str, float]:
    """Load, prepare, block by block, and a whole film; the film is written into `folder`."""
    terminal.progress("Engine", 0, BLOCKS)
    started = time.perf_counter()
    performer = make_performer(avatar)
    loaded = time.perf_counter()
    identity = performer.prepare(portrait(avatar.portrait))
    prepared = time.perf_counter()
    samples = read_sound(speak_questions([_SPEECH], folder)[0], performer.spec.sample_rate)
    blocks = measure_blocks(performer, identity, samples, terminal)
    report = render(performer, identity, samples, folder / "bench.mp4", 0, time.perf_counter)
    return {
        "load_s": loaded - started,
        "prepare_s": prepared - loaded,
        **blocks,
        "render_real_time_factor": report.real_time_factor,
        "render_times_real_time": 1 / report.real_time_factor,
        "render_first_frame_s": report.first_frame_s,
        "peak_rss_mb": peak_rss_mb(),
    }


def measure_blocks(performer: Performer, identity: Identity, samples: Samples, terminal: Terminal) -> dict[str, float]:
    """Milliseconds of both halves of a block, over `BLOCKS` blocks of speech, one after the other.

    `block_processor_p50_ms` is processor time, which tells the same on a busy machine as on a quiet one.
    """
    spec = performer.spec
    performance = performer.open(identity, 0)
    imagined: list[float] = []
    drawn: list[float] = []
    worked: list[float] = []
    frames = 0
    for number in range(BLOCKS):
        length = performance.next_frames * spec.samples_per_frame
        piece = np.resize(np.roll(samples, -number * length), length + spec.lookahead)
        started, before = time.perf_counter(), time.process_time()
        latents = performance.imagine(SpeechBlock(None, piece[:length], piece[length:]))
        middle = time.perf_counter()
        frames += len(performance.draw(latents).wait())
        ended = time.perf_counter()
        imagined.append(1000 * (middle - started))
        drawn.append(1000 * (ended - middle))
        worked.append(1000 * (time.process_time() - before))
        terminal.progress("Engine", number + 1, BLOCKS)
    performance.close()
    both = np.add(imagined, drawn)
    return {
        "block_lasts_ms": 1000 * spec.block_frames / spec.fps,
        "imagine_p50_ms": float(np.percentile(imagined, 50)),
        "imagine_p95_ms": float(np.percentile(imagined, 95)),
        "draw_p50_ms": float(np.percentile(drawn, 50)),
        "draw_p95_ms": float(np.percentile(drawn, 95)),
        "block_p50_ms": float(np.percentile(both, 50)),
        "block_p95_ms": float(np.percentile(both, 95)),
        "block_processor_p50_ms": float(np.percentile(worked, 50)),
        "block_real_time_factor": float(both.sum() / 1000 / (frames / spec.fps)),
        "first_block_ms": float(both[0]),
    }
