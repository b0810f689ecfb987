"""Schedules and rotary positions: numbers without a network."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from core.performer.diffusion.rope import Rope, axis_split
from core.performer.diffusion.schedule import RELEASED, shifted_sigmas
from tests.golden.folder import Case, greatest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.golden.folder import Folder

BOUND = 1e-6


def cases(folder: Folder) -> Iterator[Case]:
    for stem in folder.stems:
        if stem.startswith("scheduler") and folder.has(stem):
            yield Case(f"{stem}: four steps", (stem,), BOUND, partial(four_steps, folder, stem))
            yield Case(f"{stem}: training tables", (stem,), BOUND, partial(tables, folder, stem))
            yield Case(f"{stem}: noise in, flow out", (stem,), BOUND, partial(mixtures, folder, stem))
        elif stem.startswith("rope_hd") and folder.has(stem):
            yield Case(f"{stem}: far into a stream", (stem,), BOUND, partial(rotation, folder, stem))
        elif stem == "rope_limit":
            yield Case(f"{stem}: no last block", (stem,), BOUND, partial(beyond_the_table, folder, stem))


def four_steps(folder: Folder, stem: str) -> float:
    golden = folder.tensors(stem)
    sigmas = greatest(torch.tensor(RELEASED.sigmas), golden["infer4.sigmas"])
    fed = greatest(torch.tensor(RELEASED.timesteps), golden["infer4.timesteps_bf16"])
    exact = greatest(torch.tensor(RELEASED.sigmas), golden["infer4.timesteps"] / 1000)
    return max(sigmas, fed, exact)


def tables(folder: Folder, stem: str) -> float:
    """The tables that training and the teacher look up, from the one formula."""
    golden, errors = folder.tensors(stem), [0.0]
    for name, steps, shift in (
        ("train1000_shift5", 1000, 5.0),
        ("train1000_shift8", 1000, 8.0),
        ("teacher50", 50, 5.0),
    ):
        sigmas = torch.tensor(shifted_sigmas(steps, shift))
        errors += [greatest(sigmas, golden[f"{name}.sigmas"]), greatest(sigmas, golden[f"{name}.timesteps"] / 1000)]
    table = torch.tensor(shifted_sigmas(1000, 5.0))
    nearest = (1000 * table[None] - golden["train_list.steps"][:, None]).abs().argmin(1)
    errors += [greatest(nearest, golden["train_list.index"]), greatest(table[nearest], golden["train_list.sigmas"])]
    return max(errors)


def mixtures(folder: Folder, stem: str) -> float:
    """(1 - s) x0 + s noise, x0 = x - s flow, flow = (x - x0) / s, with s from the table."""
    golden = folder.tensors(stem)
    clean, noise, flow = (golden[f"x.{name}"] for name in ("x0", "noise", "flow"))

    def sigma_of(timesteps: torch.Tensor, table: list[float]) -> torch.Tensor:
        entries = torch.tensor(table)
        return entries[(1000 * entries[None] - timesteps[:, None]).abs().argmin(1)][:, None, None, None]

    trained = sigma_of(golden["x.timesteps"], shifted_sigmas(1000, 5.0))
    errors = [
        greatest((1 - trained) * clean + trained * noise, golden["x.add_noise_train"]),
        greatest(clean - trained * flow, golden["x.flow_to_x0_train"]),
        greatest(((noise.double() - clean.double()) / trained.double()).float(), golden["x.x0_to_flow_train"]),
    ]
    for index, timestep in enumerate(golden["x.add_noise_infer.timestep"]):
        s = sigma_of(timestep[None], list(RELEASED.sigmas))
        errors.append(greatest((1 - s) * clean + s * noise, golden[f"x.add_noise_infer.{index}"]))
    return max(errors)


def rotation(folder: Folder, stem: str) -> float:
    golden, made = folder.tensors(stem), folder.config(stem)
    if list(axis_split(made["head_dim"])) != made["split"]:
        return float("inf")
    frames, rows, columns = made["grid"]
    rope = Rope(made["head_dim"], rows, columns)
    start = made["start_frame"]
    turned = rope.rotation(range(start, start + frames))
    placed = rope.rotation(range(frames))
    rope.place(placed, start, frames)
    return max(greatest(way.apply(golden["x"], made["heads"]), golden["y"]) for way in (turned, placed))


def beyond_the_table(folder: Folder, stem: str) -> float:
    """Where the release's table has run out, a rotation still keeps lengths, and depends on distance alone."""
    starts = [int(start) for start in next(iter(folder.described(stem).values()))]
    rope = Rope(128, 1, 1)
    x = torch.randn(1, 2, 128, generator=torch.Generator().manual_seed(0))
    near = _product(rope, x, 0)
    return max(abs(_product(rope, x, start) - near) / abs(near) for start in starts)


def _product(rope: Rope, x: torch.Tensor, start: int) -> float:
    one, other = rope.rotation([start, start + 3]).apply(x, 1)[0]
    return float(one @ other)
