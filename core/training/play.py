"""Players: networks that learn in turns, in one process or many; a log, distributed checkpoints, curves as pictures."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor
from tqdm import tqdm

from core.training.crew import Crew, clip_gradients
from core.training.loop import draw_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from core.performer.diffusion.transformer import Transformer


@dataclass(frozen=True)
class PlayerRecipe:
    """How one network learns. The numbers of the paper: ODE 4e-5 and (0.9, 0.999) without decay; DMD 4e-6 for the
    generator, 8e-7 for the critic, (0, 0.999), decay 0.01."""

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.0
    clip: float = 10.0
    average: float = 0.99
    average_from: int = 200
    """Steps of its own after which the moving average begins; before, it is the network itself."""


class Player:
    """A network, its optimiser and its moving average."""

    def __init__(self, network: Transformer, recipe: PlayerRecipe, crew: Crew) -> None:
        self.network = network
        self._recipe, self._crew = recipe, crew
        self._optimiser = torch.optim.AdamW(
            network.parameters(), lr=recipe.rate, betas=recipe.betas, weight_decay=recipe.decay
        )
        self.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.steps = 0

    def learn(self, loss: Tensor) -> Tensor:
        """One step down from `loss`; returns the norm of the gradient."""
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = clip_gradients(self.network, self._crew, self._recipe.clip)
        self._optimiser.step()
        self.steps += 1
        keep = self._recipe.average if self.steps > self._recipe.average_from else 0.0
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                _local(self.average[name]).lerp_(_local(value), 1 - keep)
        return norm

    def state(self) -> dict[str, Any]:
        """Everything that a run goes on from."""
        network, optimiser = get_state_dict(self.network, self._optimiser)
        return {"network": network, "optimiser": optimiser, "average": self.average, "steps": self.steps}

    def restore(self, state: dict[str, Any]) -> None:
        set_state_dict(
            self.network,
            self._optimiser,
            model_state_dict=state["network"],
            optim_state_dict=state["optimiser"],
        )
        for name, value in state["average"].items():
            _local(self.average[name]).copy_(_local(value))
        self.steps = state["steps"]


@dataclass(frozen=True)
class PlayRecipe:
    """How long, and how often something is kept."""

    steps: int
    log_every: int = 10
    save_every: int = 100


class Play:
    """A run in `folder`, from its last checkpoint if there is one.

    Args:
        turn: for a step's number, the name of a player and the loss it learns from, one after the other: the next is
            asked for when the one before has learned. It must take its randomness from the number, so that a run that
            was interrupted goes on as if it had not been.
        saved: called with each checkpoint's step, after it lies there; for samples and figures.
    """

    def __init__(
        self,
        players: dict[str, Player],
        turn: Callable[[int], Iterable[tuple[str, Tensor]]],
        recipe: PlayRecipe,
        folder: Path,
        crew: Crew,
        saved: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._players, self._turn, self._recipe = players, turn, recipe
        self._folder, self._crew, self._saved = folder, crew, saved
        self._log: list[dict[str, float]] = []

    def run(self) -> None:
        """Until the recipe's last step.

        Raises:
            FloatingPointError: a loss is not a number; the step, and so its batch, is in the message and beside the
                checkpoints.
        """
        begin = self._restore()
        steps = range(begin, self._recipe.steps)
        for step in tqdm(steps, initial=begin, total=self._recipe.steps, disable=not self._crew.leads):
            entry: dict[str, float] = {"step": float(step)}
            for name, loss in self._turn(step):
                value = self._crew.mean(loss.detach())
                if not math.isfinite(float(value)):
                    raise FloatingPointError(self._broken(step, name, float(value)))
                norm = self._players[name].learn(loss)
                entry |= {name: float(value), f"{name} norm": float(norm)}
            if step % self._recipe.log_every == 0 or step + 1 == self._recipe.steps:
                self._log.append(entry)
            if (step + 1) % self._recipe.save_every == 0 or step + 1 == self._recipe.steps:
                self._save(step + 1)
                self._saved(step + 1)

    @property
    def _place(self) -> Path:
        return self._folder / "checkpoint"

    def _state(self) -> dict[str, Any]:
        return {name: player.state() for name, player in self._players.items()}

    def _save(self, step: int) -> None:
        """The one before is kept until this one is whole."""
        partial = self._folder / "checkpoint.partial"
        if self._crew.leads:
            shutil.rmtree(partial, ignore_errors=True)
        self._crew.wait()
        save(self._state(), checkpoint_id=partial)
        self._crew.wait()
        if self._crew.leads:
            (partial / "log.json").write_text(json.dumps({"step": step, "log": self._log}))
            shutil.rmtree(self._place, ignore_errors=True)
            partial.rename(self._place)
            if self._log:
                draw_losses(_alike(self._log), self._folder / "losses.png")
        self._crew.wait()

    def _restore(self) -> int:
        kept = self._place / "log.json"
        if not kept.exists():
            return 0
        told = json.loads(kept.read_text())
        state = self._state()
        load(state, checkpoint_id=self._place)
        for name, player in self._players.items():
            player.restore(state[name])
        self._log = told["log"]
        return told["step"]

    def _broken(self, step: int, name: str, value: float) -> str:
        told = (
            f"step {step}: the loss of the {name} is {value}; the same step of the same recipe makes this batch again"
        )
        if self._crew.leads:
            (self._folder / "broken.json").write_text(json.dumps({"step": step, "player": name, "loss": repr(value)}))
        return told


def _local(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def _alike(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """Entries with the same keys, for a picture: what a step did not learn has no value there."""
    keys = sorted({key for entry in log for key in entry if not key.endswith("norm")})
    return [{key: entry.get(key, math.nan) for key in keys} for entry in log]
