"""How far a stream's audio features are from a whole clip's, for several windows and look-aheads.

    python -m tests.golden.hearing ../shared/data/speech/speech_5s.wav [--weights model.safetensors]

Without weights they are drawn at random in the published sizes: what is measured is then the part that comes from what
is heard together (normalisations, the stretch, the reach of positions and attention), not what a trained encoder makes
of it.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import soundfile
import torch

from core.performer.livetalk.audio_encoder import AudioStream, resampled
from core.performer.livetalk.spec import LIVETALK_1_3B, LiveTalkSpec
from core.performer.livetalk.wav2vec import Wav2Vec2, load_wav2vec

SETTINGS = ((81, 0), (81, 2), (81, 4), (81, 8), (28, 8), (45, 4))
"""Window and look-ahead, in video frames."""
_BEYOND = 8
"""Video frames that the clip goes on after what is compared, so that its own end does not count."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.hearing", description="Stream against clip.")
    parser.add_argument("sound", type=Path)
    parser.add_argument("--weights", type=Path, help="wav2vec2-base; random ones without it")
    parser.add_argument("--blocks", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    spec = LIVETALK_1_3B
    model = _model(spec, options.weights)
    frames = 12 * options.blocks - 3
    sound = _sound(options.sound, spec, frames + _BEYOND)
    clip = torch.from_numpy(resampled(sound, spec.sample_rate, spec.audio_rate))[None]
    with torch.inference_mode():
        whole = model(clip, frames + _BEYOND, 3.125)[:, :frames]
        released = model(clip[:, :-1000], frames + _BEYOND)[:, :frames]
        print(f"the release's stretch against training's: {_difference(released, whole):.3f}")
        for window, ahead in SETTINGS:
            tried = dataclasses.replace(spec, audio_window_frames=window, audio_lookahead_frames=ahead)
            heard = _streamed(model, sound, tried, options.blocks)
            by_block = [
                _difference(heard[:, start:end], whole[:, start:end])
                for start, end in ((max(0, 12 * b - 3), 12 * b + 9) for b in range(options.blocks))
            ]
            blocks = " ".join(f"{value:.3f}" for value in by_block)
            print(
                f"window {window}, look-ahead {ahead}: {_difference(heard, whole):.3f}  by block {blocks}", flush=True
            )


def _model(spec: LiveTalkSpec, weights: Path | None) -> Wav2Vec2:
    if weights is not None:
        return load_wav2vec(weights, spec.audio, device=torch.device("cpu"))
    torch.manual_seed(0)
    model = Wav2Vec2(spec.audio).requires_grad_(False).eval()
    model.settle()
    return model


def _sound(file: Path, spec: LiveTalkSpec, frames: int) -> np.ndarray:
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = resampled(np.ascontiguousarray(samples.mean(1)), rate, spec.sample_rate)
    return np.resize(mono, frames * spec.samples_per_frame)


def _streamed(model: Wav2Vec2, sound: np.ndarray, spec: LiveTalkSpec, blocks: int) -> torch.Tensor:
    stream, start, rows = AudioStream(model, spec), 0, list[torch.Tensor]()
    for block in range(blocks):
        frames = spec.frames_of(block)
        end = start + frames * spec.samples_per_frame
        rows.append(stream.hear(sound[start:end], sound[end:])[:, -frames:])
        start = end
    return torch.cat(rows, 1)


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Root mean square of the difference as a part of the features' own spread over time."""
    spread = (other - other.mean(1, keepdim=True)).square().mean().sqrt()
    return float((one - other).square().mean().sqrt() / spread)


if __name__ == "__main__":
    main()
