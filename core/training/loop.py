"""The embedded avatar's training loop: lessons, steps, a moving average, a log, a checkpoint, a curve as a picture."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

Lesson = TypeVar("Lesson")


@dataclass(frozen=True)
class LoopRecipe:
    """How long and how fast to learn."""

    steps: int
    batch: int
    rate: float
    warm_up: int = 200
    average: float = 0.999
    decay: float = 0.01
    clip: float = 1.0
    log_every: int = 25
    save_every: int = 250


def train(
    module: nn.Module,
    lessons: Callable[[np.random.Generator], Lesson],
    losses: Callable[[Lesson], dict[str, Tensor]],
    recipe: LoopRecipe,
    folder: Path,
    name: str,
    seed: int,
) -> dict[str, Tensor]:
    """Learn, from the last checkpoint in `folder` if there is one.

    Before each step both generators, the one that lessons are given and torch's own, are seeded with its number, so
    that a run that was interrupted goes on as if it had not been.

    Args:
        lessons: draws a batch: a tensor, or a dataclass of tensors.
        losses: the losses of a batch by name; their sum is what is learned.

    Returns:
        The moving average of the weights.

    Raises:
        FloatingPointError: a loss is not a number; the message says at which step, and where the batch was put.
    """
    optimiser = torch.optim.AdamW(module.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay)
    average = {key: value.detach().clone() for key, value in module.state_dict().items()}
    checkpoint = folder / f"{name}.pt"
    log: list[dict[str, float]] = []
    begin = 0
    if checkpoint.exists():
        stored = torch.load(checkpoint, weights_only=True)
        module.load_state_dict(stored["module"])
        optimiser.load_state_dict(stored["optimiser"])
        average, log, begin = stored["average"], stored["log"], stored["step"]
    bar = tqdm(range(begin, recipe.steps), initial=begin, total=recipe.steps, desc=name, mininterval=5.0)
    for step in bar:
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * rate_at(step, recipe)
        torch.manual_seed(seed + step)
        lesson = lessons(np.random.default_rng((seed, step)))
        parts = losses(lesson)
        total = torch.stack(list(parts.values())).sum()
        if not math.isfinite(float(total.detach())):
            raise FloatingPointError(_kept(lesson, parts, module, step, folder / f"{name}.broken.pt"))
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.clip)
        optimiser.step()
        _follow(average, module, min(recipe.average, (1 + step) / (10 + step)))
        if step % recipe.log_every == 0 or step + 1 == recipe.steps:
            values = {key: float(part.detach()) for key, part in parts.items()}
            entry = {"step": float(step), "norm": float(norm), **values}
            log.append(entry)
            bar.set_postfix({key: f"{value:.4f}" for key, value in entry.items() if key != "step"}, refresh=False)
        if (step + 1) % recipe.save_every == 0 or step + 1 == recipe.steps:
            state = {"module": module.state_dict(), "optimiser": optimiser.state_dict(), "average": average}
            partial = checkpoint.with_suffix(".partial")
            torch.save({**state, "log": log, "step": step + 1}, partial)
            partial.replace(checkpoint)
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))
            draw_losses(log, folder / f"{name}.png")
    return average


def rate_at(step: int, recipe: LoopRecipe) -> float:
    """Factor on the learning rate: a linear warm-up, then a cosine down to a hundredth."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def draw_losses(log: list[dict[str, float]], path: Path) -> None:
    """Every loss over the steps, logarithmic."""
    figure = Figure(figsize=(9, 5))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for key in log[-1]:
        if key not in ("step", "norm"):
            axes.semilogy([entry["step"] for entry in log], [entry[key] for entry in log], label=key)
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def _kept(lesson: Any, parts: dict[str, Tensor], module: nn.Module, step: int, path: Path) -> str:
    """Keep what a step was made of that gave no number, and say so."""
    values = {key: float(part.detach()) for key, part in parts.items()}
    batch: Any = lesson if isinstance(lesson, torch.Tensor) else vars(lesson)
    torch.save({"step": step, "losses": values, "batch": batch, "module": module.state_dict()}, path)
    return f"step {step} gave {values}; its batch and the weights are in {path}"


def _follow(average: dict[str, Tensor], module: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                average[key].lerp_(value, 1 - keep)
            else:
                average[key].copy_(value)
