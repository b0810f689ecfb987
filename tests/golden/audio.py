"""What is heard: wav2vec2's path from samples to features, and how features become one vector a latent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.performer.diffusion.sizes import FRAMES_PER_LATENT, Sizes
from core.performer.diffusion.transformer import AudioPack
from core.performer.livetalk.audio_encoder import packed_alone
from core.performer.livetalk.spec import AudioSizes
from core.performer.livetalk.wav2vec import Wav2Vec2, normalised, own_name, stretched
from tests.golden.folder import Case, greatest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from tests.golden.folder import Folder

BOUND = 1e-6
THREADS = 2


def cases(folder: Folder) -> Iterator[Case]:
    for stem in folder.stems:
        if stem.startswith("audiopack") and folder.has(stem):
            yield Case(f"{stem}: four frames in one", (stem,), BOUND, partial(pack, folder, stem), THREADS)
        elif stem.startswith("wav2vec") and folder.has(stem):
            for clip in folder.described(stem)["runs"]:
                yield Case(f"{stem}: {clip}", (stem,), BOUND, partial(features, folder, stem, clip), THREADS)


def pack(folder: Folder, stem: str) -> float:
    golden, weights = folder.tensors(stem), folder.weights(stem)
    width = golden["features"].shape[-1]
    hidden = weights["audio_proj.proj.bias"].shape[0]
    sizes = Sizes(0, 0, 0, 1, 0, audio_dim=width, audio_hidden=hidden, audio_layers=())
    model = AudioPack(sizes)
    model.load_state_dict({name.removeprefix("audio_proj."): tensor for name, tensor in weights.items()})
    rows = packed_alone(golden["features"])
    shown = golden["padded"].shape[1]
    packed = model(rows)
    assert rows.shape[1] == FRAMES_PER_LATENT * packed.shape[1]
    return max(greatest(rows[0, :, :shown], golden["padded"]), greatest(packed, golden["packed"][:, :, 0, 0]))


def load(folder: Folder, stem: str) -> Wav2Vec2:
    made = folder.config(stem)
    sizes = AudioSizes(
        dim=made["hidden_size"],
        ffn_dim=made["intermediate_size"],
        layers=made["num_hidden_layers"],
        heads=made["num_attention_heads"],
        conv_dim=made["conv_dim"][0],
        conv_kernels=tuple(made["conv_kernel"]),
        conv_strides=tuple(made["conv_stride"]),
        position_kernel=made["num_conv_pos_embeddings"],
        position_groups=made["num_conv_pos_embedding_groups"],
    )
    model = Wav2Vec2(sizes)
    model.load_state_dict(
        {own: tensor for name, tensor in folder.weights(stem).items() if (own := own_name(name)) is not None}
    )
    return model.requires_grad_(False).eval()


def features(folder: Folder, stem: str, clip: str) -> float:
    """Every stage of one clip, with the release's own stretch over the whole of it."""
    golden, made, model = folder.tensors(stem), folder.described(stem)["runs"][clip], load(folder, stem)
    samples = golden["audio"][None, : made["samples"]]
    seen: dict[str, Tensor] = {"input_values": normalised(samples)[0]}
    seen["conv"] = model.convolved(seen["input_values"][None])
    seen["interp"] = stretched(seen["conv"], made["L"])
    seen["embeddings"] = model(samples, made["L"])
    if seen["conv"].shape[1] != made["conv_frames"]:
        return float("inf")
    return max(greatest(value, golden[f"{clip}.{name}"]) for name, value in seen.items())
