"""Conditions to clips: what a video student learns from, encoded once, with the teacher's trajectories where asked.

    python -m core.training.make_clips manifest.jsonl --weights FOLDER --clips FOLDER [--teacher FILE] [--frames 21]
    torchrun --nproc-per-node 8 -m core.training.make_clips …

Files that are there are left alone, so a run that was broken off goes on. Many processes share the work. `--tiny` does
all of it with small networks drawn at random, in seconds.
"""

from __future__ import annotations

import argparse
import gc
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor
from tqdm import tqdm

from core.offline import read_sound
from core.performer.diffusion.schedule import shifted_sigmas
from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.checkpoint import load_transformer, prepared
from core.performer.livetalk.files import Found, look
from core.performer.livetalk.fingerprint import shapes_of
from core.performer.livetalk.opening import SPEC, files_in
from core.performer.livetalk.picture import framed
from core.performer.livetalk.spec import LIVETALK_1_3B, LIVETALK_14B, TINY, LiveTalkSpec, ModelFiles
from core.performer.livetalk.text_encoder import PromptCache, open_umt5, weights_key
from core.performer.livetalk.vae import WanVae
from core.performer.livetalk.wav2vec import Wav2Vec2, load_wav2vec
from core.performer.portrait.identity import read_picture
from core.training.clips import save_clip, save_negative, scene_of
from core.training.conditions import ConditionRecipe
from core.training.crew import Crew, crew
from core.training.distil import noise_of
from core.training.manifest import Condition, read_manifest
from core.training.trajectory import trajectory
from core.training.video import open_vae

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.media import Samples
    from core.performer.diffusion.sizes import Sizes

STEPS, SHIFT, KEPT, GUIDANCE = 48, 5.0, 4, 4.5
"""Of the teacher: 48 steps hold the four noise levels of the student's sampler, which the usual 50 do not; the paper's
guidance."""
_NOISE = 3_000_000


@dataclass(frozen=True, eq=False)
class Encoders:
    """Everything that turns conditions into tensors, on one device."""

    spec: LiveTalkSpec
    vae: WanVae
    hearing: Wav2Vec2
    prompts: Mapping[str, Tensor]
    """Rows [rows, text_dim] on the processor; the negative prompt's too."""
    negative: str
    teacher: Transformer | None
    device: torch.device


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m core.training.make_clips", description="Encode clips to learn from."
    )
    parser.add_argument("manifest", type=Path, help="conditions, as `python -m core.training.curate` writes them")
    parser.add_argument("--clips", type=Path, required=True, help="where the clips go")
    parser.add_argument("--weights", type=Path, help="the folder with VAE, wav2vec2, UMT5 and its tokenizer")
    parser.add_argument("--teacher", type=Path, help="weights of the teacher: also makes its trajectories")
    parser.add_argument("--frames", type=int, default=21, help="latent frames of a clip, in threes (21 are 5 seconds)")
    parser.add_argument("--recipe", type=Path, default=ConditionRecipe.DEFAULT, help="where the negative prompt is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="small networks drawn at random, and a teacher")
    given = parser.parse_args(arguments)
    if not given.tiny and not given.weights:
        parser.error("--weights is needed, unless it is --tiny")
    conditions, negative = read_manifest(given.manifest), ConditionRecipe.load(given.recipe).negative
    with crew() as all_of_us:
        mine = conditions[all_of_us.rank :: all_of_us.size]
        todo = [one for one in mine if not made(one, given.clips, trajectories=given.tiny or bool(given.teacher))]
        prompts = [negative, *(one.prompt for one in todo)]
        if given.tiny:
            encoders = random_encoders(prompts, all_of_us.device)
        else:
            encoders = load_encoders(given.weights, given.teacher, prompts, given.clips / ".prompts", all_of_us.device)
        make_clips(todo, encoders, given.clips, given.frames, given.seed, all_of_us)


def make_clips(
    conditions: Sequence[Condition], encoders: Encoders, folder: Path, frames: int, seed: int, crew: Crew
) -> None:
    """A file for each condition, and one for the negative prompt."""
    folder.mkdir(parents=True, exist_ok=True)
    if crew.leads:
        save_negative(folder, encoders.prompts[encoders.negative])
    for condition in tqdm(conditions, desc="clips", disable=not crew.leads):
        save_clip(clip_file(condition, folder), **tensors_of(condition, encoders, frames, seed))


@torch.no_grad()
def tensors_of(condition: Condition, encoders: Encoders, frames: int, seed: int) -> dict[str, Tensor]:
    """What a clip's file holds; see `core.training.clips`."""
    spec, device = encoders.spec, encoders.device
    if frames % spec.block_latents:
        raise ValueError(f"{frames} latent frames are not a number of blocks of {spec.block_latents}")
    picture = framed(read_picture(Path(condition.picture)), spec.height, spec.width)
    reference = encoders.vae.encode(picture[None].to(device))
    shown = 4 * frames - 3
    sound = looped(read_sound(Path(condition.sound), spec.audio_rate), shown * spec.audio_samples_per_frame)
    heard = torch.from_numpy(sound)
    features = encoders.hearing(heard[None].to(device), shown)
    text, no_text = encoders.prompts[condition.prompt], encoders.prompts[encoders.negative]
    tensors = {"reference": reference[0], "features": features[0], "text": text, "sound": heard}
    if encoders.teacher is None:
        return tensors
    scene = scene_of(reference, features, text[None].float().to(device), no_text[None].float().to(device))
    noise = noise_of(seed, _NOISE, zlib.crc32(condition.name.encode()))
    drawn = torch.randn((1, frames, *reference.shape[1:]), generator=noise).to(device)
    half = torch.autocast(device.type, torch.bfloat16) if device.type != "cpu" else nullcontext()
    with half:
        sigmas = shifted_sigmas(STEPS, SHIFT)
        states = trajectory(encoders.teacher, scene, drawn, sigmas=sigmas, keep=KEPT, guidance=GUIDANCE)
    return {**tensors, "states": states[0]}


def looped(sound: Samples, samples: int) -> Samples:
    """As many samples; a sound that is too short begins again, as in the released training."""
    return np.resize(sound, samples)


def clip_file(condition: Condition, folder: Path) -> Path:
    return folder / f"{condition.name}.safetensors"


def made(condition: Condition, folder: Path, *, trajectories: bool) -> bool:
    """Whether the clip is there, with a trajectory where one is asked for."""
    file = clip_file(condition, folder)
    if not file.exists():
        return False
    with safe_open(file, framework="pt") as opened:
        return not trajectories or "states" in opened.keys()  # noqa: SIM118 - it is no dictionary


def load_encoders(
    weights: Path, teacher: Path | None, prompts: Sequence[str], cache: Path, device: torch.device
) -> Encoders:
    """From files. The text encoder is there first and alone, and is gone when the others come.

    Raises:
        PerformerError: a file is missing, damaged or another model's.
    """
    spec, files = _files(weights)
    assert files.text is not None, "`files` refuses a folder without the text encoder"
    assert files.tokenizer is not None
    half = torch.float32 if device.type == "cpu" else torch.bfloat16
    text, tokenizer = files.text, files.tokenizer
    kept = PromptCache(cache, spec.text, weights_key(text))
    kept.encode(prompts, lambda: open_umt5(text, tokenizer, spec.text, device=device, dtype=torch.bfloat16))
    gc.collect()
    rows = {prompt: loaded[0] for prompt in prompts if (loaded := kept.load(prompt)) is not None}
    return Encoders(
        spec=spec,
        vae=open_vae(files.vae, spec.vae, device),
        hearing=load_wav2vec(files.audio, spec.audio, device=device),
        prompts=rows,
        negative=prompts[0],
        teacher=load_transformer(teacher, _sizes(teacher, spec), device=device, dtype=half) if teacher else None,
        device=device,
    )


def random_encoders(prompts: Sequence[str], device: torch.device) -> Encoders:
    """The tiny size, drawn at random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae, hearing, teacher = WanVae(TINY.vae), Wav2Vec2(TINY.audio), Transformer(TINY.transformer)
        rows = {prompt: torch.randn(TINY.text.rows, TINY.text.dim) for prompt in dict.fromkeys(prompts)}
    for model in (vae, hearing):
        model.requires_grad_(False).eval().to(device)
    teacher = prepared(teacher.to(device), linears="half", native=True)
    return Encoders(TINY, vae, hearing, rows, prompts[0], teacher, device)


def _files(weights: Path) -> tuple[LiveTalkSpec, ModelFiles]:
    """All but the student's own transformer, which nothing here needs."""
    if (weights / SPEC).is_file():
        return files_in(str(weights))
    found = look((weights,))
    return LIVETALK_1_3B, Found({**found.paths, "transformer": weights}, found.others).files()


def _sizes(teacher: Path, spec: LiveTalkSpec) -> Sizes:
    """The teacher's: as wide as the student, or the large one."""
    width = shapes_of(teacher).get("patch_embedding.weight", (0,))[0]
    return spec.transformer if width == spec.transformer.dim else LIVETALK_14B.transformer


if __name__ == "__main__":
    main()
