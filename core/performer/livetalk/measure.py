"""How fast LiveTalk is on a device: every stage by itself, then all of it as the renderer runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from core.media import SpeechBlock, Turn
from core.performer.livetalk.memory import count, total
from core.performer.livetalk.performer import LiveTalkPerformer
from core.performer.livetalk.work import of_block, of_drawing, of_pass

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.media import Pixels
    from core.performer.device import Device
    from core.performer.livetalk.model import LiveTalkModel
    from core.performer.livetalk.performer import LiveTalkPerformance
    from core.performer.livetalk.pipeline import Pipeline
    from core.performer.livetalk.spec import LiveTalkSpec

_MATRIX_SIDE = {"cuda": 8192, "cpu": 1024}
_MATRIX_PRODUCTS = 10
_FIRST_FRAMES = 5
_WATCHED_BLOCKS = 2
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Measured:
    """Figures of one way to run the model. Milliseconds are medians, each stage waited for by itself; `fps` and what
    comes after it are of the whole, with both halves side by side. `host_waits` says what of the steady step waits for
    the device: "none", what it was, or that nobody could tell."""

    name: str
    load_s: float
    warm_up_s: float
    prepare_ms: float
    hear_ms: float
    steps_ms: float
    step_ms: float
    clean_pass_ms: float
    draw_latent_ms: float
    copy_ms: float
    block_ms: float
    fps: float
    first_frame_cold_ms: float
    first_frame_warm_ms: float
    memory_mb: float
    memory_counted_mb: float
    host_waits: str
    pass_tflop: float
    block_tflop: float
    draw_tflop: float
    tflops: float
    share_of_peak: float


def matrix_peak(device: Device, now: Callable[[], float]) -> float:
    """Operations a second of a large matrix product in the device's number format, the mean of ten."""
    side = _MATRIX_SIDE[device.torch_device.type]
    one, other = (torch.randn(side, side, dtype=device.dtype, device=device.torch_device) for _ in range(2))
    for _ in range(3):
        torch.mm(one, other)
    device.mark().reach()
    started = now()
    for _ in range(_MATRIX_PRODUCTS):
        torch.mm(one, other)
    device.mark().reach()
    return 2 * side**3 * _MATRIX_PRODUCTS / (now() - started)


def measure(
    name: str,
    make: Callable[[], LiveTalkModel],
    device: Device,
    peak: float,
    blocks: int,
    now: Callable[[], float],
) -> Measured:
    """Load what `make` makes, then time it over `blocks` blocks.

    Args:
        peak: what `matrix_peak` found, for the share of it.
        now: seconds on a clock that never goes back.
    """
    device.release()
    started = now()
    model = make()
    device.mark().reach()
    loaded = now()
    device.release()
    performer = LiveTalkPerformer(model, device)
    warm = now()
    identity = performer.prepare(_picture())
    prepared = now()
    cold_ms = _first_piece_ms(lambda: performer.open(identity, 0), model.spec, now)
    stages = _Stages(performer.pipeline, device, now)
    performer.open(identity, 0)
    stages.run(blocks)
    performance = performer.open(identity, 0)
    block_s = _block_s(performance, model.spec, blocks, now)
    warm_ms = float(np.median([_first_piece_ms(lambda: performance, model.spec, now) for _ in range(_FIRST_FRAMES)]))
    memory_mb, waits = device.memory().peak / 1e6, _host_waits(performance, model.spec, device)
    spec, slots = model.spec, model.spec.window.slots
    drawing = of_drawing(spec, model.preset, spec.block_latents)
    speed = (of_block(spec, slots) + drawing) / block_s
    return Measured(
        name=name,
        load_s=loaded - started,
        warm_up_s=warm - loaded,
        prepare_ms=1000 * (prepared - warm),
        hear_ms=stages.median("hear"),
        steps_ms=stages.median("make"),
        step_ms=stages.median("make") / len(spec.sigmas),
        clean_pass_ms=stages.median("remember"),
        draw_latent_ms=stages.median("draw"),
        copy_ms=stages.median("copy"),
        block_ms=1000 * block_s,
        fps=spec.block_frames / block_s,
        first_frame_cold_ms=cold_ms,
        first_frame_warm_ms=warm_ms,
        memory_mb=memory_mb,
        memory_counted_mb=total(count(spec, model.preset, device.dtype)) / 1e6,
        host_waits=waits,
        pass_tflop=of_pass(spec, slots) / 1e12,
        block_tflop=of_block(spec, slots) / 1e12,
        draw_tflop=drawing / 1e12,
        tflops=speed / 1e12,
        share_of_peak=speed / peak,
    )


class _Stages:
    """The stages of block after block, each waited for before the next begins."""

    def __init__(self, pipeline: Pipeline, device: Device, now: Callable[[], float]) -> None:
        self._pipeline, self._device, self._now = pipeline, device, now
        self._took: dict[str, list[float]] = {}

    def run(self, blocks: int) -> None:
        """Blocks of a performance that has just been opened; those before the window is full are not timed."""
        spec = self._pipeline.model.spec
        for block in range(spec.window.slots + self._device.settling_calls + blocks):
            if block == spec.window.slots + self._device.settling_calls:
                self._took.clear()
            sound = _sound(spec, spec.frames_of(block), block)
            self._block(sound)

    def median(self, stage: str) -> float:
        """Milliseconds."""
        return 1000 * float(np.median(self._took[stage]))

    def _block(self, sound: SpeechBlock) -> None:
        pipeline, device = self._pipeline, self._device
        with torch.inference_mode():
            with device.stream("imagine"):
                features = self._timed("hear", lambda: pipeline.hear(sound.samples, sound.ahead))
                latents = self._timed("make", lambda: pipeline.make(features))
                self._timed("remember", pipeline.remember)
            with device.stream("draw"):
                for latent in latents.split(1, dim=1):
                    pixels = self._timed("draw", lambda latent=latent: pipeline.pixels(latent))
                    self._timed("copy", lambda pixels=pixels: device.to_host(pixels).wait())

    def _timed(self, stage: str, call: Callable[[], _Result]) -> _Result:
        started = self._now()
        made = call()
        self._device.mark().reach()
        self._took.setdefault(stage, []).append(self._now() - started)
        return made


def _block_s(performance: LiveTalkPerformance, spec: LiveTalkSpec, blocks: int, now: Callable[[], float]) -> float:
    """Seconds a block takes in a stream, one block behind as the renderer is, once the window is full."""
    started, behind = 0.0, None
    for block in range(spec.window.slots + blocks):
        if block == spec.window.slots:
            started = now()
        drawn = performance.draw(performance.imagine(_sound(spec, performance.next_frames, block)))
        if behind is not None:
            behind.wait()
        behind = drawn
    seconds = now() - started
    assert behind is not None
    behind.wait()
    return seconds / blocks


def _host_waits(performance: LiveTalkPerformance, spec: LiveTalkSpec, device: Device) -> str:
    """Two blocks of a stream that has settled, under the device's own watch over who waits for it."""
    if device.torch_device.type == "cpu":
        return "not known on a processor"
    sounds = [_sound(spec, spec.block_frames, block) for block in range(_WATCHED_BLOCKS)]
    try:
        with device.watched():
            drawn = [performance.draw(performance.imagine(sound)) for sound in sounds]
    except RuntimeError as error:
        return str(error).splitlines()[0]
    for frames in drawn:
        frames.wait()
    return "none"


def _first_piece_ms(
    open_performance: Callable[[], LiveTalkPerformance], spec: LiveTalkSpec, now: Callable[[], float]
) -> float:
    """From sound in hand to the first frame on the host, with nothing else on its way."""
    started = now()
    performance = open_performance()
    drawn = performance.draw(performance.imagine(_sound(spec, performance.next_frames, 1)))
    pieces = drawn.pieces()
    next(pieces)
    seconds = now() - started
    for _ in pieces:
        pass
    return 1000 * seconds


def _sound(spec: LiveTalkSpec, frames: int, seed: int) -> SpeechBlock:
    """A block of a reply that sounds like nothing."""
    noise = np.random.default_rng(seed)
    samples, ahead = (
        (0.1 * noise.standard_normal(count)).astype(np.float32)
        for count in (frames * spec.samples_per_frame, spec.lookahead)
    )
    return SpeechBlock(Turn(1, None), samples, ahead)


def _picture() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (768, 640, 3), np.uint8)
