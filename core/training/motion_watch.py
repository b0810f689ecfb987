"""What is looked at at every checkpoint of the embedded avatar's student: figures, a film, the best so far."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np

from core.errors import LiveTalkError
from core.media import MediaFormat
from core.performer.portrait.audio import blocks_of
from core.performer.portrait.identity import SIDE, make_identity, read_picture
from core.performer.portrait.landmarks import FaceFinder
from core.performer.portrait.motion import MotionStream, open_speech
from core.performer.portrait.performer import motion_of, resting_curves
from core.performer.portrait.warp import PortraitPainter
from core.performer.portrait.weights import save_weights
from core.playback.mp4 import Mp4Writer
from core.settings import assets_folder, models_folder
from core.training.speech import flite
from core.training.watch import BEST, best_of, draw_window, tell_tensorboard

if TYPE_CHECKING:
    from pathlib import Path

    from core.performer.portrait.identity import PortraitIdentity
    from core.performer.portrait.motion import MotionModel, MotionSpec
    from core.performer.portrait.speech_encoder import SpeechEncoder
    from core.training.motion_scenes import Scenes
    from core.training.motion_turns import MotionTurns
    from core.training.play import Entry, Player

_SHOWN = "amara.jpg"
_SAID = "My mother bought five big apples. Whose are they? We will move on very soon."


class MotionWatch:
    """Called with a checkpoint's step and the log.

    In `folder`: `figures.json`, `figures.png`, `samples/*.mp4`, `tensorboard`, and in `best` the weights of the
    checkpoint with the least first figure. There are no films where flite or the face models are missing.
    """

    def __init__(
        self, turns: MotionTurns, student: Player, model: MotionModel, spec: MotionSpec, clips: Scenes, folder: Path
    ) -> None:
        self._turns, self._student, self._model, self._spec, self._folder = turns, student, model, spec, folder
        self._clips = clips.draw(0)
        self._identity = _identity()
        self._speech = open_speech(spec)
        kept = folder / "figures.json"
        self._told: list[Entry] = json.loads(kept.read_text()) if kept.exists() else []

    def __call__(self, step: int, log: list[Entry]) -> None:
        before = [entry for entry in self._told if entry["step"] < step]
        since = before[-1]["step"] if before else 0.0
        with self._student.averaged():
            figures = self._turns.figures(self._clips, self._model.codec)
        self._told = [*before, {"step": float(step), **figures}]
        self._model.transformer.load_state_dict(self._student.whole_average())
        if best_of(self._told) == step:
            save_weights(self._model, self._spec, self._folder / BEST)
        if self._identity is not None:
            (self._folder / "samples").mkdir(exist_ok=True)
            film(
                self._model, self._spec, self._speech, self._identity, self._folder / "samples" / f"step-{step:06d}.mp4"
            )
        (self._folder / "figures.json").write_text(json.dumps(self._told, indent=1))
        draw_window(self._told, self._folder / "figures.png")
        fresh = [entry for entry in log if entry["step"] >= since]
        tell_tensorboard(fresh, self._told[-1], self._folder / "tensorboard")


def film(
    model: MotionModel, spec: MotionSpec, speech: SpeechEncoder | None, identity: PortraitIdentity, path: Path
) -> None:
    """A few words by flite, acted as the product does, always with the same noise."""
    sound = flite(_SAID, "slt").samples
    blocks = blocks_of(sound, spec.hearing)
    stream = MotionStream(model, spec, speech, resting_curves(identity), "", seed=1)
    painter = PortraitPainter(identity)
    media = MediaFormat(spec.sample_rate, spec.fps)
    writer = Mp4Writer(path, media, SIDE, SIDE)
    shown = 0
    try:
        for block in blocks:
            latents = stream.imagine(block)
            for pixels in painter.paint(motion_of(stream.curves(latents), identity, model.codec.basis)):
                writer.picture(pixels, shown * media.samples_per_frame)
                shown += 1
        writer.sound(np.concatenate([block.samples for block in blocks]))
    finally:
        writer.close()


def _identity() -> PortraitIdentity | None:
    """The portrait of the films; None where no film can be made."""
    if shutil.which("flite") is None:
        return None
    try:
        return make_identity(read_picture(assets_folder() / "portraits" / _SHOWN), FaceFinder(models_folder() / "face"))
    except LiveTalkError:
        return None
