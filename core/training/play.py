"""Players: networks that learn in turns, in one process or many; a log, distributed checkpoints, curves as pictures."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor
from tqdm import tqdm

from core.training.crew import Crew, clip_gradients
from core.training.loop import draw_losses

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from core.performer.diffusion.transformer import Transformer


_BY_NAME = StateDictOptions(flatten_optimizer_state_dict=True)
"""Moments by the parameter's name, so that another number of processes, which groups them otherwise, finds them."""
Losses = Sequence[Callable[[], Tensor]]
"""The losses of a process's clips, each calculated when it is asked for, so that one clip is in memory at a time."""
Entry = dict[str, float]
"""What is logged of a step: its number, and for each player that learned its loss and the norm of the gradient."""


@dataclass(frozen=True)
class PlayerRecipe:
    """How one network learns. The numbers of the paper: ODE 4e-5 and (0.9, 0.999) without decay; DMD 4e-6 for the
    generator, 8e-7 for the critic, (0, 0.999), decay 0.01."""

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.0
    clip: float = 10.0
    average: float = 0.99
    """How much of itself the moving average keeps at each step; 0 for a network that needs none."""
    average_from: int = 200
    """Steps of its own after which the moving average begins; before, it is the network itself."""


class Player:
    """A network, its optimiser and its moving average."""

    def __init__(self, network: Transformer, recipe: PlayerRecipe, crew: Crew) -> None:
        self.network = network
        self._recipe, self._crew = recipe, crew
        parameters = list(network.parameters())
        shared = [parameter for parameter in parameters if isinstance(parameter, DTensor)]
        whole = [parameter for parameter in parameters if not isinstance(parameter, DTensor)]
        self._optimiser = torch.optim.AdamW(
            [{"params": group} for group in (shared, whole) if group],  # they are never multiplied in one call
            lr=recipe.rate,
            betas=recipe.betas,
            weight_decay=recipe.decay,
            foreach=True,
        )
        kept = network.state_dict() if recipe.average else {}
        self.average = {name: value.detach().clone() for name, value in kept.items()}
        self.steps = 0

    def learn(self, losses: Losses) -> tuple[float, float]:
        """One step down from the mean of `losses`, one after the other; the loss and the norm of its gradient.

        Raises:
            FloatingPointError: one of them is not a number, in any process; nothing was learned.
        """
        self._optimiser.zero_grad(set_to_none=True)
        mean = 0.0
        for loss in losses:
            part = loss() / len(losses)
            mean += float(self._crew.mean(part.detach()))
            if not math.isfinite(mean):
                raise FloatingPointError(f"loss is {mean}")
            part.backward()
        norm = float(clip_gradients(self.network, self._crew, self._recipe.clip))
        if not math.isfinite(norm):
            raise FloatingPointError(f"gradient is {norm}")
        self._optimiser.step()
        self.steps += 1
        keep = self._recipe.average if self.steps > self._recipe.average_from else 0.0
        with torch.no_grad():
            now = self.network.state_dict()
            for name, value in self.average.items():
                _local(value).lerp_(_local(now[name]), 1 - keep)
        return mean, norm

    @contextmanager
    def averaged(self) -> Generator[None]:
        """Within, the network has the moving average's weights; afterwards its own again, bit for bit."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def whole_average(self) -> dict[str, Tensor]:
        """The moving average in one piece, in the memory of the process that leads; nothing in the others."""
        pieces: dict[str, Tensor] = {}
        for name, value in self.average.items():
            piece = value.full_tensor() if isinstance(value, DTensor) else value
            if self._crew.leads:
                pieces[name] = piece.cpu().contiguous()
        return pieces

    def state(self) -> dict[str, Any]:
        """Everything that a run goes on from."""
        network, optimiser = get_state_dict(self.network, self._optimiser, options=_BY_NAME)
        return {"network": network, "optimiser": optimiser, "average": self.average, "steps": self.steps}

    def restore(self, state: dict[str, Any]) -> None:
        set_state_dict(
            self.network,
            self._optimiser,
            model_state_dict=state["network"],
            optim_state_dict=state["optimiser"],
            options=_BY_NAME,
        )
        for name, value in self.average.items():
            _local(value).copy_(_local(state["average"][name]))
        self.steps = state["steps"]

    @torch.no_grad()
    def _exchange(self) -> None:
        now = self.network.state_dict()
        for name, value in self.average.items():
            mine, other = _local(now[name]), _local(value)
            kept = mine.clone()
            mine.copy_(other)
            other.copy_(kept)


@dataclass(frozen=True)
class PlayRecipe:
    """How long, and how often something is kept."""

    steps: int
    log_every: int = 10
    save_every: int = 100


class Play:
    """A run in `folder`, from its last checkpoint if there is one.

    Args:
        turn: for a step's number, the name of a player and the losses whose mean it learns from, one after the other:
            the next is asked for when the one before has learned. It must take its randomness from the number, so that
            a run that was interrupted goes on as if it had not been.
        saved: called with each checkpoint's step and the log up to it, after it lies there; for samples and figures.
        batch: what a step learns from, in words, for the report of a step that gave no number.
    """

    def __init__(
        self,
        players: dict[str, Player],
        turn: Callable[[int], Iterable[tuple[str, Losses]]],
        recipe: PlayRecipe,
        folder: Path,
        crew: Crew,
        saved: Callable[[int, list[Entry]], None] = lambda step, log: None,
        batch: Callable[[int], dict[str, list[str]]] = lambda step: {},
    ) -> None:
        self._players, self._turn, self._recipe = players, turn, recipe
        self._folder, self._crew, self._saved, self._batch = folder, crew, saved, batch
        self._log: list[Entry] = []

    def run(self) -> None:
        """Until the recipe's last step.

        Raises:
            FloatingPointError: a loss or a gradient is not a number. The networks as they were before that player's
                turn lie in `broken`, the names of the batch's clips in `broken.json`.
        """
        begin = self._restore()
        steps = range(begin, self._recipe.steps)
        for step in tqdm(steps, initial=begin, total=self._recipe.steps, disable=not self._crew.leads):
            entry: Entry = {"step": float(step)}
            for name, losses in self._turn(step):
                try:
                    loss, norm = self._players[name].learn(losses)
                except FloatingPointError as error:
                    raise FloatingPointError(self._broken(step, name, str(error))) from error
                entry |= {name: loss, f"{name} norm": norm}
            if step % self._recipe.log_every == 0 or step + 1 == self._recipe.steps:
                self._log.append(entry)
            if (step + 1) % self._recipe.save_every == 0 or step + 1 == self._recipe.steps:
                self._save(step + 1)
                self._saved(step + 1, self._log)

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
        partial = self._folder / "checkpoint.partial"
        if self._crew.leads and not self._place.exists() and (partial / "log.json").exists():
            partial.rename(self._place)  # whole, but the process ended before it got its name
        self._crew.wait()
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

    def _broken(self, step: int, name: str, what: str) -> str:
        """Keep what the step was made of; the message."""
        for player in self._players.values():
            player.network.zero_grad(set_to_none=True)
        save(self._state(), checkpoint_id=self._folder / "broken")
        if self._crew.leads:
            told = {"step": step, "player": name, "what": what, "batch": self._batch(step)}
            (self._folder / "broken.json").write_text(json.dumps(told, indent=1))
        return f"step {step}: the {name}'s {what}; its batch is in broken.json, the networks are in broken"


def _local(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def _alike(log: list[Entry]) -> list[Entry]:
    """Entries with the same keys, for a picture: what a step did not learn has no value there."""
    keys = sorted({key for entry in log for key in entry if not key.endswith("norm")})
    return [{key: entry.get(key, math.nan) for key in keys} for entry in log]
