"""The recipe of LiveTalk-1.3B: the converged start from trajectories, then on-policy distillation, on many GPUs.

    python -m core.training core/training/recipes/livetalk-1.3b-ode.toml --weights FOLDER --clips FOLDER --out FOLDER
    torchrun --nproc-per-node 8 -m core.training core/training/recipes/livetalk-1.3b-dmd.toml …

`--dry-run` counts the memory of each GPU without one, `--tiny` takes real steps at a size that any computer bears.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, set_model_state_dict

from core.performer.diffusion.attention import block_causal_mask, choose_kernel
from core.performer.diffusion.schedule import RELEASED
from core.performer.diffusion.transformer import Transformer
from core.performer.diffusion.window import Window
from core.performer.livetalk.checkpoint import load_strictly
from core.performer.livetalk.spec import LIVETALK_1_3B, LIVETALK_14B, TINY, LiveTalkSpec
from core.training.account import ClipSize, needed
from core.training.clips import ClipFolder, save_clip, save_negative
from core.training.crew import Crew, crew, shard, spare_activations
from core.training.distil import Distillation, DistilRecipe
from core.training.noise import NoiseTable
from core.training.ode import ode_loss
from core.training.play import Play, Player, PlayerRecipe, PlayRecipe
from core.training.scene import flow_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.performer.diffusion.sizes import Sizes
    from core.training.scene import Scene

_GPUS = (8, 16, 32)
_SIZES = {"1.3b": LIVETALK_1_3B, "14b": LIVETALK_14B}


@dataclass(frozen=True)
class Network:
    """A file of weights in the released layout, beneath --weights, and its size."""

    file: str
    size: Literal["1.3b", "14b"]


class VideoRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a stage depends on."""

    stage: Literal["ode", "dmd"]
    seed: int
    batch: int
    """Clips in a step, over all processes."""
    frames: int
    """Latent frames of a clip."""
    play: PlayRecipe
    student: Network
    learning: PlayerRecipe
    model: Literal["livetalk"] = "livetalk"
    teacher: Network | None = None
    critic: Network | None = None
    critic_learning: PlayerRecipe | None = None
    distil: DistilRecipe = msgspec.field(default_factory=DistilRecipe)

    def __post_init__(self) -> None:
        if self.stage == "dmd" and not (self.teacher and self.critic and self.critic_learning):
            raise ValueError("distillation needs `teacher`, `critic` and `critic_learning`")

    @staticmethod
    def load(path: Path) -> VideoRecipe:
        """Raises msgspec.ValidationError, which names the key, for a recipe that is not one."""
        return msgspec.toml.decode(path.read_bytes(), type=VideoRecipe)

    @property
    def networks(self) -> dict[str, Network]:
        named = {"student": self.student, "critic": self.critic, "teacher": self.teacher}
        return {name: network for name, network in named.items() if network is not None}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.training", description="Train LiveTalk-1.3B.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--weights", type=Path, help="the folder with the recipe's files of weights")
    parser.add_argument("--clips", type=Path, help="the folder of clips to learn from")
    parser.add_argument("--out", type=Path, help="where checkpoints, curves and weights go (runs/NAME)")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--dry-run", action="store_true", help="count the memory of each GPU, and do nothing")
    ways.add_argument("--tiny", action="store_true", help="real steps at a small size, on clips made of noise")
    given = parser.parse_args(arguments)
    recipe = VideoRecipe.load(given.recipe)
    out = given.out or Path("runs") / given.recipe.stem
    if given.dry_run:
        print_account(recipe)
    elif given.tiny:
        with tempfile.TemporaryDirectory(prefix="livetalk-") as folder, crew() as all_of_us:
            run_tiny(recipe, Path(folder), out, all_of_us)
    elif given.weights and given.clips:
        with crew() as all_of_us:
            run(recipe, given.weights, given.clips, out, all_of_us)
    else:
        parser.error("--weights and --clips are needed, unless it is a --dry-run or --tiny")


def run(recipe: VideoRecipe, weights: Path, clips: Path, out: Path, crew: Crew) -> None:
    """One stage; its result is `out/student.safetensors`, the moving average in the released layout."""
    half = crew.device.type != "cpu"
    networks = {
        name: _network(_SIZES[network.size].transformer, weights / network.file, crew, half=half)
        for name, network in recipe.networks.items()
    }
    play(recipe, LIVETALK_1_3B, networks, clips, out, crew)


def run_tiny(recipe: VideoRecipe, folder: Path, out: Path, crew: Crew, steps: int = 2) -> None:
    """`steps` steps of the same stage by the same code, with networks and clips drawn at random."""
    recipe = msgspec.structs.replace(
        recipe,
        batch=2 * crew.size,
        frames=3 * TINY.block_latents,
        play=PlayRecipe(steps, log_every=1, save_every=1),
        distil=replace(recipe.distil, warm_up=0, ratio=1),
    )
    _noise_clips(folder / "clips", recipe)
    torch.manual_seed(recipe.seed)
    networks = {name: Transformer(TINY.transformer) for name in recipe.networks}
    for network in networks.values():
        spare_activations(network)
        shard(network, crew, half=False)
    play(recipe, TINY, networks, folder / "clips", out, crew)


def play(
    recipe: VideoRecipe, spec: LiveTalkSpec, networks: dict[str, Transformer], clips: Path, out: Path, crew: Crew
) -> None:
    """Learn with networks that are ready, and write the student down."""
    out.mkdir(parents=True, exist_ok=True)
    source = ClipFolder(clips, recipe.seed, crew)
    players = {"student": Player(networks["student"], recipe.learning, crew)}
    turns = _Turns(recipe, spec, networks, source, crew)
    if recipe.critic_learning is not None:
        players["critic"] = Player(networks["critic"], recipe.critic_learning, crew)
    Play(players, turns, recipe.play, out, crew).run()
    student = players["student"]
    student.network.load_state_dict(student.average)
    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(student.network, options=whole)
    if crew.leads:
        tensors = {name: value.contiguous() for name, value in state.items() if isinstance(value, Tensor)}
        save_file(tensors, out / "student.safetensors")
    crew.wait()


class _Turns:
    """Whose turn it is, and what they learn from: called with a step's number."""

    def __init__(
        self,
        recipe: VideoRecipe,
        spec: LiveTalkSpec,
        networks: dict[str, Transformer],
        clips: ClipFolder,
        crew: Crew,
    ) -> None:
        self._recipe, self._spec, self._networks, self._clips, self._crew = recipe, spec, networks, clips, crew
        blocks = recipe.frames // spec.block_latents
        half = crew.device.type != "cpu"
        self._numbers = torch.autocast(crew.device.type, torch.bfloat16) if half else nullcontext()
        self._table = NoiseTable(recipe.distil.shift)
        tokens = spec.block_latents * (spec.latent_height // 2) * (spec.latent_width // 2)
        self._mask = block_causal_mask(blocks, tokens).to(crew.device)
        window = Window(blocks, 0, spec.block_latents, absolute=True)
        self._game = (
            Distillation(
                networks["student"],
                networks["critic"],
                networks["teacher"],
                window,
                RELEASED,
                recipe.distil,
                crew,
                half=half,
            )
            if recipe.stage == "dmd"
            else None
        )

    def __call__(self, step: int) -> Iterator[tuple[str, Tensor]]:
        with self._numbers:
            yield from self._converge(step) if self._game is None else self._distil(self._game, step)

    def _distil(self, game: Distillation, step: int) -> Iterator[tuple[str, Tensor]]:
        """Each player has a batch of its own."""
        if self._recipe.distil.generator_learns(step):
            yield "student", game.generator_loss(self._scene(2 * step), self._noise(2 * step))
        yield "critic", game.critic_loss(self._scene(2 * step + 1), self._noise(2 * step + 1))

    def _converge(self, step: int) -> Iterator[tuple[str, Tensor]]:
        batch = self._clips.batch(step, self._recipe.batch)
        if batch.states is None:
            raise ValueError("these clips hold no trajectories: they cannot start a student")
        student, scene = self._networks["student"], batch.scene

        def estimate(noisy: Tensor, times: Tensor) -> Tensor:
            flow = flow_at_once(student, scene, noisy, times, mask=self._mask)
            return self._table.clean(noisy, flow, times)

        chosen = self._noise(step * self._crew.size + self._crew.rank)
        yield "student", ode_loss(estimate, batch.states, RELEASED.timesteps, self._spec.block_latents, chosen)

    def _scene(self, number: int) -> Scene:
        return self._clips.batch(number, self._recipe.batch).scene

    def _noise(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(self._recipe.seed * 1_000_003 + number)


def print_account(recipe: VideoRecipe) -> None:
    """Gigabytes on each GPU for crews of 8, 16 and 32, as a table."""
    learning = {"student": _SIZES[recipe.student.size].transformer}
    frozen: dict[str, Sizes] = {}
    if recipe.critic and recipe.teacher:
        learning["critic"] = _SIZES[recipe.critic.size].transformer
        frozen["teacher"] = _SIZES[recipe.teacher.size].transformer
    clip = ClipSize(recipe.frames, LIVETALK_1_3B.latent_height, LIVETALK_1_3B.latent_width)
    needs = [needed(learning, frozen, clip, gpus, causal="student") for gpus in _GPUS]
    print(f"{'GB on each of':<44}" + "".join(f"{gpus:>4} GPUs" for gpus in _GPUS))
    for part in needs[0].parts:
        print(f"{part:<44}" + "".join(f"{need.parts[part] / 2**30:9.2f}" for need in needs))
    print(f"{'together':<44}" + "".join(f"{need.total / 2**30:9.2f}" for need in needs))
    shares = ", ".join(f"{recipe.batch // gpus} of {recipe.batch} clips" for gpus in _GPUS)
    print(f"One clip at a time; a process has {shares}.")


def _network(sizes: Sizes, file: Path, crew: Crew, *, half: bool) -> Transformer:
    """In shards, from a file that only the leader reads."""
    with torch.device("meta"):
        network = Transformer(sizes, choose_kernel(crew.device))
    spare_activations(network)
    cpu = torch.device("cpu")
    if crew.size == 1:
        return load_strictly(network, file, what=file.name, device=crew.device, dtype=torch.float32)
    state: dict[str, Any] = {}
    if crew.leads:
        with torch.device("meta"):
            whole = Transformer(sizes)
        state = load_strictly(whole, file, what=file.name, device=cpu, dtype=torch.float32).state_dict()
    shard(network, crew, half=half)
    network.to_empty(device=crew.device)
    set_model_state_dict(network, state, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
    return network


def _noise_clips(folder: Path, recipe: VideoRecipe) -> None:
    """Four clips of noise at the tiny size. Every process writes the same."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn, sizes = torch.Generator().manual_seed(recipe.seed), TINY.transformer
    clip = (recipe.frames, sizes.latent_channels, TINY.latent_height, TINY.latent_width)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=drawn)

    for number in range(4):
        save_clip(
            folder / f"{number}.safetensors",
            reference=noise(*clip[1:]),
            features=noise(4 * recipe.frames - 3, sizes.audio_dim),
            text=noise(TINY.text.rows, sizes.text_dim),
            states=noise(len(RELEASED.sigmas) + 1, *clip),
        )
    save_negative(folder, noise(TINY.text.rows, sizes.text_dim))
