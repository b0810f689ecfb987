"""What is looked at during a run: the best point of a curve, its checkpoint, scalars, a film that can be played."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from core.performer.livetalk.spec import TINY
from core.performer.livetalk.vae import WanVae
from core.training.clips import Batch, ClipFolder, save_clip, save_negative
from core.training.crew import Crew
from core.training.play import Play, Player, PlayerRecipe, PlayRecipe
from core.training.scene import Scene
from core.training.watch import Watch, best_of, draw_window, film
from tests.core.test_training_distil import network

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


class Curve:
    """Figures that get better until the bias has gone a certain way, and then worse."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def figures(self, clip: Batch, place: int) -> dict[str, float]:
        bias = float(self._player.network.head.head.bias.detach().mean())
        return {"error": abs(bias - 3.0) + place, "other": bias}

    def sample(self, clip: Batch) -> Tensor:
        return torch.zeros(1, 3, 16, 8, 8)


@pytest.fixture
def clips(tmp_path: Path) -> ClipFolder:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(4):
        save_clip(
            folder / f"{number}.safetensors",
            reference=torch.zeros(4, 2, 2),
            features=torch.zeros(5, 3),
            text=torch.zeros(3, 8),
        )
    save_negative(folder, torch.zeros(3, 8))
    return ClipFolder(folder, 0, Crew(), held_out=2)


def run(folder: Path, clips: ClipFolder, steps: int) -> None:
    """A bias that climbs by one at each step, and is best at the third."""
    model = network(1)
    with torch.no_grad():
        model.head.head.bias.zero_()
    player = Player(model, PlayerRecipe(1.0, (0.0, 0.999), clip=100.0, average=0.5, average_from=100), Crew())
    watch = Watch(Curve(player), player, clips, TINY, folder, Crew(), WanVae(TINY.vae))  # type: ignore[arg-type]  # only what Watch asks for
    folder.mkdir(exist_ok=True)

    def loss() -> Tensor:
        every = torch.stack([value.sum() for value in model.parameters()]).sum()
        return -model.head.head.bias.sum() + 0 * every

    Play({"student": player}, lambda step: [("student", [loss])], PlayRecipe(steps, 1, 1), folder, Crew(), watch).run()


def test_the_best_checkpoint_is_kept_beside_the_last_and_the_window_is_drawn(tmp_path: Path, clips: ClipFolder) -> None:
    out = tmp_path / "out"
    run(out, clips, 5)
    told = json.loads((out / "figures.json").read_text())
    assert [entry["error"] for entry in told] == pytest.approx([2.5, 1.5, 0.5, 1.5, 2.5], abs=1e-3)
    assert best_of(told) == 3
    assert json.loads((out / "best" / "log.json").read_text())["step"] == 3
    assert json.loads((out / "checkpoint" / "log.json").read_text())["step"] == 5
    assert (out / "best.safetensors").exists()
    assert (out / "figures.png").stat().st_size > 5000
    assert len(list((out / "samples").glob("*.mp4"))) == 5


def test_scalars_are_told_once_also_after_a_break(tmp_path: Path, clips: ClipFolder) -> None:
    out = tmp_path / "out"
    run(out, clips, 2)
    run(out, clips, 4)
    read = EventAccumulator(str(out / "tensorboard"))
    read.Reload()
    assert [event.step for event in read.Scalars("loss/student")] == [0, 1, 2, 3]
    assert [event.step for event in read.Scalars("gradient/student")] == [0, 1, 2, 3]
    assert [event.step for event in read.Scalars("held out/error")] == [1, 2, 3, 4]


def test_a_film_has_every_frame_and_the_clips_sound(tmp_path: Path) -> None:
    scene = Scene(*(torch.zeros(1, 1, 1) for _ in range(4)))
    tone = torch.sin(torch.arange(9000) * 2 * np.pi * 440 / 16_000)[None] * 0.5
    with torch.random.fork_rng():
        torch.manual_seed(0)
        film(WanVae(TINY.vae), torch.randn(1, 3, 16, 8, 8), Batch(scene, None, tone), TINY, tmp_path / "film.mp4")
    with av.open(str(tmp_path / "film.mp4")) as shown:
        frames = [frame.to_ndarray(format="rgb24") for frame in shown.decode(video=0)]
    assert len(frames) == 9
    assert frames[0].shape == (64, 64, 3)
    with av.open(str(tmp_path / "film.mp4")) as heard:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in heard.decode(audio=0)])
    assert 0.3 < np.abs(sound[2000:8000]).max() < 0.7


def test_nothing_is_drawn_of_no_figures(tmp_path: Path) -> None:
    draw_window([{"step": 1.0}], tmp_path / "figures.png")
    assert not (tmp_path / "figures.png").exists()
    assert best_of([{"step": 1.0}]) is None
