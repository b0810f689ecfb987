"""The recipe of LiveTalk-1.3B: the converged start from trajectories, then on-policy distillation, on many GPUs.

    python -m core.training core/training/recipes/livetalk-1.3b-ode.toml --weights FOLDER --clips FOLDER --out FOLDER
    torchrun --nproc-per-node 8 -m core.training core/training/recipes/livetalk-1.3b-dmd.toml …

`--dry-run` counts the memory of each GPU without one, `--tiny` takes real steps at a size that any computer bears.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

from core.performer.diffusion.attention import choose_kernel
from core.performer.diffusion.schedule import RELEASED
from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.checkpoint import load_strictly
from core.performer.livetalk.files import look
from core.performer.livetalk.spec import LIVETALK_1_3B, LIVETALK_14B, TINY, LiveTalkSpec, VaeSizes
from core.performer.livetalk.vae import WanVae
from core.training.account import ClipSize, needed
from core.training.clips import ClipFolder, save_clip, save_negative
from core.training.crew import Crew, crew, shard, spare_activations
from core.training.distil import DistilRecipe
from core.training.play import Play, Player, PlayerRecipe, PlayRecipe
from core.training.turns import Turns
from core.training.watch import Watch

if TYPE_CHECKING:
    from core.performer.diffusion.sizes import Sizes
    from core.performer.livetalk.frames import FrameDecoder

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
    held_out: int
    """Clips, the last by name, that are never learned from."""
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
        with crew() as all_of_us:
            run_tiny(recipe, out, all_of_us)
    elif given.weights and given.clips:
        with crew() as all_of_us:
            run(recipe, given.weights, given.clips, out, all_of_us)
    else:
        parser.error("--weights and --clips are needed, unless it is a --dry-run or --tiny")


def run(recipe: VideoRecipe, weights: Path, clips: Path, out: Path, crew: Crew) -> None:
    """One stage; its results are `out/student.safetensors` and `out/best.safetensors`, moving averages of the last and
    of the best checkpoint in the released layout."""
    half = crew.device.type != "cpu"
    networks = {
        name: load_network(
            _SIZES[network.size].transformer, weights / network.file, crew, half=half, frozen=name == "teacher"
        )
        for name, network in recipe.networks.items()
    }
    vae = look((weights,)).paths.get("vae") if crew.leads else None
    decoder = open_vae(vae, LIVETALK_1_3B.vae, crew.device) if vae else None
    play(recipe, LIVETALK_1_3B, networks, clips, out, crew, decoder)


def run_tiny(recipe: VideoRecipe, out: Path, crew: Crew, steps: int = 2) -> None:
    """`steps` steps of the same stage by the same code, with networks and clips drawn at random.

    One, two or four processes make the same.
    """
    recipe = msgspec.structs.replace(
        recipe,
        batch=4,
        frames=3 * TINY.block_latents,
        held_out=1,
        play=PlayRecipe(steps, log_every=1, save_every=1),
        distil=replace(recipe.distil, warm_up=0, ratio=1),
    )
    clips = out / "clips"
    if crew.leads:
        noise_clips(clips, recipe)
    crew.wait()
    torch.manual_seed(recipe.seed)
    networks = {name: Transformer(TINY.transformer) for name in recipe.networks}
    decoder = WanVae(TINY.vae).requires_grad_(False)
    for network in networks.values():
        spare_activations(network)
        shard(network, crew, half=False)
    play(recipe, TINY, networks, clips, out, crew, decoder)


def play(
    recipe: VideoRecipe,
    spec: LiveTalkSpec,
    networks: dict[str, Transformer],
    clips: Path,
    out: Path,
    crew: Crew,
    decoder: FrameDecoder | None,
) -> None:
    """Learn with networks that are ready, and write the student down."""
    out.mkdir(parents=True, exist_ok=True)
    source = ClipFolder(clips, recipe.seed, crew, recipe.held_out)
    student = Player(networks["student"], recipe.learning, crew)
    players = {"student": student}
    if recipe.critic_learning is not None:
        players["critic"] = Player(networks["critic"], recipe.critic_learning, crew)
    turns = Turns(
        networks,
        source,
        spec,
        recipe.distil if recipe.stage == "dmd" else None,
        seed=recipe.seed,
        batch=recipe.batch,
        frames=recipe.frames,
        device=crew.device,
        half=crew.device.type != "cpu",
    )
    watch = Watch(turns, student, source, spec, out, crew, decoder)
    Play(players, turns, recipe.play, out, crew, watch, turns.clips).run()
    weights = student.whole_average()
    if crew.leads:
        save_file(weights, out / "student.safetensors")
    crew.wait()


def print_account(recipe: VideoRecipe) -> None:
    """Gibibytes on each GPU for crews of 8, 16 and 32, as a table."""
    learning = {"student": _SIZES[recipe.student.size].transformer}
    averaged = {"student"}
    frozen: dict[str, Sizes] = {}
    if recipe.critic and recipe.teacher and recipe.critic_learning:
        averaged |= {"critic"} if recipe.critic_learning.average else set()
        learning["critic"] = _SIZES[recipe.critic.size].transformer
        frozen["teacher"] = _SIZES[recipe.teacher.size].transformer
    clip = ClipSize(recipe.frames, LIVETALK_1_3B.latent_height, LIVETALK_1_3B.latent_width)
    needs = [needed(learning, frozen, clip, gpus, causal="student", averaged=averaged) for gpus in _GPUS]
    print(f"{'GiB on each of':<44}" + "".join(f"{gpus:>4} GPUs" for gpus in _GPUS))
    for part in needs[0].parts:
        print(f"{part:<44}" + "".join(f"{need.parts[part] / 2**30:9.2f}" for need in needs))
    print(f"{'together':<44}" + "".join(f"{need.total / 2**30:9.2f}" for need in needs))
    shares = ", ".join(f"{recipe.batch // gpus}" for gpus in _GPUS)
    print(f"One clip at a time is in memory; a GPU has {shares} of a step's {recipe.batch}.")


def load_network(sizes: Sizes, file: Path, crew: Crew, *, half: bool, frozen: bool) -> Transformer:
    """In shards, from a file that only the leader reads.

    Args:
        half: calculate in bfloat16. What learns is kept in float32 and rounded when it is gathered; what is frozen is
            rounded once, here: the same numbers in half the memory.
    """
    numbers = torch.bfloat16 if half and frozen else torch.float32
    with torch.device("meta"):
        network = Transformer(sizes, choose_kernel(crew.device)).requires_grad_(not frozen)
    spare_activations(network)
    if crew.size == 1:
        load_strictly(network, file, what=file.name, device=crew.device, dtype=numbers)
        return network.requires_grad_(not frozen)
    state: dict[str, Any] = {}
    if crew.leads:
        with torch.device("meta"):
            whole = Transformer(sizes)
        state = load_strictly(whole, file, what=file.name, device=torch.device("cpu"), dtype=numbers).state_dict()
    network.to(numbers)
    shard(network, crew, half=half)
    network.to_empty(device=crew.device)
    set_model_state_dict(network, state, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
    return network


def open_vae(file: Path, sizes: VaeSizes, device: torch.device) -> WanVae:
    """Raises: PerformerError: the file is damaged or another model's."""
    with torch.device("meta"):
        vae = WanVae(sizes)
    load_strictly(vae, file, what="the Wan2.1 video VAE", device=device, dtype=torch.float32)
    return vae.requires_grad_(False).eval()


def noise_clips(folder: Path, recipe: VideoRecipe) -> None:
    """Five clips of noise at the tiny size."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn, sizes = torch.Generator().manual_seed(recipe.seed), TINY.transformer
    clip = (recipe.frames, sizes.latent_channels, TINY.latent_height, TINY.latent_width)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=drawn)

    for number in range(5):
        save_clip(
            folder / f"{number}.safetensors",
            reference=noise(*clip[1:]),
            features=noise(4 * recipe.frames - 3, sizes.audio_dim),
            text=noise(TINY.text.rows, sizes.text_dim),
            states=noise(len(RELEASED.sigmas) + 1, *clip),
        )
    save_negative(folder, noise(TINY.text.rows, sizes.text_dim))
