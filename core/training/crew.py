"""Crew: one process or many, and a model's parameters in shards among them, by PyTorch's own engine (FSDP2).

`torchrun --nproc-per-node N -m core.training RECIPE` starts N processes; without torchrun there is one, and nothing
here changes what it does.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from torch import nn

    from core.performer.diffusion.transformer import Transformer

_MODEL_CALLS = ("text_keys", "audio_terms", "moment", "flow_at", "remember", "remember_at")
"""What is asked of a transformer beside `forward`: each gathers the shards it needs."""


@dataclass(frozen=True)
class Crew:
    """Processes that learn together. `rank` 0 writes files and speaks."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """Over all processes; the same everywhere."""
        if self.size == 1:
            return value
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.size

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def crew() -> Generator[Crew]:
    """The processes that torchrun started, on an accelerator each where there is one; else this one alone."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if "WORLD_SIZE" not in os.environ:
        yield Crew(device=accelerator or torch.device("cpu"))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if accelerator is not None:
        torch.accelerator.set_device_index(local)
    dist.init_process_group("nccl" if accelerator is not None else "gloo")
    try:
        device = torch.device(accelerator.type, local) if accelerator is not None else torch.device("cpu")
        yield Crew(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()


def kept_whole(model: Transformer) -> set[nn.Parameter]:
    """The few numbers that are read outside the layer they belong to: every process keeps them all."""
    return {model.head.modulation, *(block.modulation for block in model.blocks)}  # pyright: ignore[reportReturnType] - ModuleList forgets the class


def shard(model: Transformer, crew: Crew, *, half: bool) -> None:
    """Spread the parameters over the crew, layer by layer; nothing for a crew of one.

    Args:
        half: gather in bfloat16 and reduce in float32; the shards themselves stay what they are.
    """
    if crew.size == 1:
        return
    mesh = init_device_mesh(crew.device.type, (crew.size,))
    numbers = torch.bfloat16 if half else None
    policy = MixedPrecisionPolicy(param_dtype=numbers, reduce_dtype=torch.float32, cast_forward_inputs=False)
    whole = kept_whole(model)

    def spread(module: nn.Module, *calls: str) -> None:
        fully_shard(module, mesh=mesh, mp_policy=policy, ignored_params=whole)
        for call in calls:
            register_fsdp_forward_method(module, call)

    for block in model.blocks:
        spread(block.cross_attn, "keys", "to_text")  # pyright: ignore[reportArgumentType] - ModuleList forgets the class
        spread(block, "remember")
    spread(model, *_MODEL_CALLS)


def spare_activations(model: Transformer) -> None:
    """Forget what a layer calculated and calculate it again on the way back: a third more work, a fraction of the
    memory."""
    for block in model.blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def clip_gradients(model: Transformer, crew: Crew, limit: float) -> Tensor:
    """Bring what is kept whole together, then scale all gradients so that their norm is at most `limit`.

    Returns:
        The norm before, the same in every process.
    """
    if crew.size > 1:
        for parameter in sorted_by_place(model, kept_whole(model)):
            if parameter.grad is not None:
                parameter.grad.copy_(crew.mean(parameter.grad))
    parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
    spread = [parameter for parameter in parameters if isinstance(parameter.grad, DTensor)]
    whole = [parameter for parameter in parameters if not isinstance(parameter.grad, DTensor)]
    norms = [_norm(group) for group in (spread, whole) if group]
    total = torch.stack(norms).square().sum().sqrt()
    for group in (spread, whole):
        clip_grads_with_norm_(group, limit, total)
    return total


def sorted_by_place(model: nn.Module, chosen: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """In the model's own order, so that every process comes to them in the same one."""
    wanted = {id(parameter) for parameter in chosen}
    return [parameter for parameter in model.parameters() if id(parameter) in wanted]


def _norm(parameters: list[nn.Parameter]) -> Tensor:
    norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
