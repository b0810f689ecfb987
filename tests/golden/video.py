"""What is seen: a portrait's frame and latent, and latents as frames, however they are grouped."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from core.performer.diffusion.streaming import conditioning
from core.performer.livetalk.frames import decode
from core.performer.livetalk.picture import framed
from core.performer.livetalk.spec import VaeSizes
from core.performer.livetalk.vae import WanVae
from tests.golden.folder import Case, greatest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from tests.golden.folder import Folder

BOUND = 1e-5
PICTURE_BOUND = 1e-6
STATE_BOUND = 2e-5
"""Activations of up to 3 lie in the states, and are not brought to -1 to 1 yet."""


def cases(folder: Folder) -> Iterator[Case]:
    for stem in folder.stems:
        weights = stem.removesuffix("_io") + "_weights"
        if stem.startswith("vae") and stem.endswith("_io") and folder.has(stem, weights):
            yield from of_vae(folder, stem, weights)
        elif stem.startswith("image") and folder.has(stem, folder.config(stem)["vae"]):
            yield from of_pictures(folder, stem, folder.config(stem)["vae"])


def of_vae(folder: Folder, stem: str, weights: str) -> Iterator[Case]:
    files = (stem, weights)
    yield Case(f"{stem}: a picture encoded", files, BOUND, partial(encoded_picture, folder, stem, weights))
    yield Case(f"{stem}: a clip encoded", files, BOUND, partial(encoded_clip, folder, stem, weights))
    latents = folder.tensors(stem)["latent"].shape[1]
    alone = (1,) * latents
    for groups in (alone, (1, 3, latents - 4), (3, 3, latents - 6), (latents,), (2, latents - 2)):
        name = "one by one" if groups == alone else " + ".join(map(str, groups))
        yield Case(f"{stem}: latents decoded {name}", files, BOUND, partial(decoded, folder, stem, weights, groups))
    yield Case(f"{stem}: what a stream remembers", files, STATE_BOUND, partial(remembered, folder, stem, weights))


def of_pictures(folder: Folder, stem: str, weights: str) -> Iterator[Case]:
    for name, info in folder.described(stem)["info"].items():
        if rounds_as_released(folder, stem, info):
            yield Case(f"{stem}: {name} framed", (stem, weights), PICTURE_BOUND, partial(frame, folder, stem, name))
        else:
            name += " (in the release's frame, which has a black line)"
        key = name.partition(" ")[0]
        yield Case(f"{stem}: {name}, its latent", (stem, weights), BOUND, partial(shown, folder, stem, weights, key))


def load(folder: Folder, weights: str) -> WanVae:
    made = folder.config(weights)
    sizes = VaeSizes(
        dim=made["dim"],
        latent_channels=made["z_dim"],
        multipliers=tuple(made["dim_mult"]),
        encoder_blocks=made["num_res_blocks"],
        decoder_blocks=made["num_res_blocks"] + 1,
        time_downsampling=tuple(made["temporal_down"]),
    )
    model = WanVae(sizes)
    model.load_state_dict(folder.tensors(weights))
    return model.requires_grad_(False).eval()


def encoded_picture(folder: Folder, stem: str, weights: str) -> float:
    golden = folder.tensors(stem)
    return greatest(load(folder, weights).encode(golden["video"][:, :, 0]), golden["encoded_image"][:, 0])


def encoded_clip(folder: Folder, stem: str, weights: str) -> float:
    golden = folder.tensors(stem)
    return greatest(load(folder, weights).encode_video(golden["video"]), golden["encoded_video"])


def decoded(folder: Folder, stem: str, weights: str, groups: tuple[int, ...]) -> float:
    golden = folder.tensors(stem)
    latents: Tensor = golden["latent"]
    stream = load(folder, weights).open(*latents.shape[-2:])
    frames = [decode(stream, piece) for piece in latents.split(groups, dim=1)]
    errors = [greatest(torch.cat(frames, 2), golden["decoded_raw"])]
    if set(groups) == {1}:
        chunks = [name for name in golden if name.startswith("chunk.")]
        errors += [greatest(frames[int(name.partition(".")[2])], golden[name]) for name in chunks]
    return max(errors)


def remembered(folder: Folder, stem: str, weights: str) -> float:
    """The released caches hold one frame after the first latent where ours hold a frame of zeros before it."""
    golden = folder.tensors(stem)
    latents: Tensor = golden["latent"]
    stream, errors = load(folder, weights).open(*latents.shape[-2:]), [0.0]
    for index in range(latents.shape[1]):
        decode(stream, latents[:, index : index + 1])
        for slot, kept in enumerate(stream.tensors()):
            released = golden.get(f"cache_after.{index}.{slot}")
            if released is not None:
                errors.append(greatest(kept[:, :, -released.shape[2] :], released))
    return max(errors) if len(errors) > 1 else float("inf")


def frame(folder: Folder, stem: str, name: str) -> float:
    golden = folder.tensors(stem)
    height, width = folder.config(stem)["target"]
    return greatest(framed(golden[f"{name}.uint8"].numpy(), height, width), golden[f"{name}.pixels"][0, :, 0])


def shown(folder: Folder, stem: str, weights: str, name: str) -> float:
    """The latent of a frame, and what the transformer is given of it."""
    golden = folder.tensors(stem)
    latent = load(folder, weights).encode(golden[f"{name}.pixels"][:, :, 0])
    given = conditioning(latent, golden[f"{name}.y"].shape[2], beginning=True).transpose(1, 2)
    return max(greatest(latent, golden[f"{name}.ref_latent"][:, 0]), greatest(given, golden[f"{name}.y"]))


def rounds_as_released(folder: Folder, stem: str, info: dict[str, Any]) -> bool:
    """Whether cutting sizes off, as the release does, gives the size that rounding gives."""
    (rows, columns), (height, width) = info["size_hw"], folder.config(stem)["target"]
    scale = max(height / rows, width / columns)
    return info["scaled_hw"] == [round(rows * scale), round(columns * scale)]
