"""Recognises the files of LiveTalk-1.3B by what is in them, whatever they are called and wherever they lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import PerformerError, Problem
from core.performer.livetalk.spec import ModelFiles
from core.settings import models_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from core.performer.livetalk.fingerprint import Shapes

Kind = Literal["transformer", "vae", "audio", "text", "tokenizer", "small_decoder"]
NAMES: dict[Kind, str] = {
    "transformer": "the LiveTalk-1.3B video model",
    "vae": "the Wan2.1 video VAE",
    "audio": "wav2vec2-base",
    "text": "the UMT5-XXL text encoder",
    "tokenizer": "UMT5's tokenizer",
    "small_decoder": "the small decoder (TAEHV)",
}
SUFFIXES = frozenset({".safetensors", ".pth", ".pt", ".bin"})
_KINDS: dict[str, Kind] = {"LiveTalk 1.3B": "transformer", "Wan2.1 VAE": "vae", "UMT5-XXL encoder": "text"}
"""Of the published models that have a fingerprint, those of use here."""
SMALL_DECODER_SHA256 = "d26151e76cdc2c9424bef988de874b33d9a53f30ef3060cd556c429c469c797e"
"""Others of the same shapes want their latents scaled in another way."""
_AUDIO_SHAPES: Shapes = {
    "feature_extractor.conv_layers.0.conv.weight": (512, 1, 10),
    "feature_projection.projection.weight": (768, 512),
    "encoder.layers.11.feed_forward.output_dense.weight": (768, 3072),
}
_VIDEO_MARK = "patch_embedding.weight"
_DEPTH = 5
"""Folders within folders that are looked into."""
_MOST_FILES = 200
"""What a folder of models may hold; one with more is not looked through to its end."""
_NAMED = 2
"""Files of no use that are named in a message."""


@dataclass(frozen=True)
class Seen:
    """One file, or a tokenizer's folder. `kind` is None where it is of no use, and `what` then says why, in words that
    go on after its name."""

    path: Path
    kind: Kind | None
    what: str
    detail: str = ""


@dataclass(frozen=True)
class Found:
    """What was recognised, and what else of weights was seen on the way."""

    paths: Mapping[Kind, Path]
    others: tuple[Seen, ...]

    def files(self, *, text_needed: bool = True) -> ModelFiles:
        """All that a performer loads. `text_needed` is False where its prompts were read before.

        Raises:
            PerformerError: something is missing (`MODEL_MISSING`), or what is in its place is another file
                (`MODEL_DAMAGED`).
        """
        wanted: tuple[Kind, ...] = ("transformer", "vae", "audio", *(("text", "tokenizer") if text_needed else ()))
        missing: list[Kind] = [kind for kind in wanted if kind not in self.paths]
        if missing:
            raise self._incomplete(missing)
        return ModelFiles(
            transformer=self.paths["transformer"],
            vae=self.paths["vae"],
            audio=self.paths["audio"],
            text=self.paths.get("text"),
            tokenizer=self.paths.get("tokenizer"),
            small_decoder=self.paths.get("small_decoder"),
        )

    def _incomplete(self, missing: Sequence[Kind]) -> PerformerError:
        broken = any(seen.detail for seen in self.others)
        instead = " ".join(f'"{seen.path.name}" {seen.what}.' for seen in self.others[:_NAMED])
        fetch = "Download them in Settings › Picture, or run: livetalk models fetch livetalk-1.3b"
        return PerformerError(
            Problem.MODEL_DAMAGED if broken else Problem.MODEL_MISSING,
            f"Files of LiveTalk 1.3B are missing: {', '.join(NAMES[kind] for kind in missing)}.",
            f"{instead} {fetch}".strip(),
            detail="\n".join(f"{seen.path} {seen.what}. {seen.detail}".rstrip() for seen in self.others),
        )


def own_folder() -> Path:
    """Where fetched files lie."""
    return models_folder() / "livetalk-1.3b"


def find(weights: str = "") -> Found:
    """What is here: in the folder `weights`, where one is named, and where fetched files lie."""
    return look((*((Path(weights),) if weights else ()), own_folder()))


def look(folders: Iterable[Path]) -> Found:
    """What lies in `folders` and below; the first of a kind counts. Hidden folders are left out."""
    paths: dict[Kind, Path] = {}
    others: list[Seen] = []
    for folder in folders:
        for path in islice(_candidates(folder, _DEPTH), _MOST_FILES):
            seen = recognise(path)
            if seen.kind is None:
                others.append(seen)
            else:
                paths.setdefault(seen.kind, path)
    return Found(paths, tuple(others))


def recognise(path: Path) -> Seen:
    """What a file of weights is, or a folder that may be a tokenizer's."""
    if path.is_dir():
        return Seen(path, "tokenizer", f"is {NAMES['tokenizer']}")
    from core.performer.livetalk.fingerprint import RELEASED, fingerprint, shapes_of

    try:
        shapes = shapes_of(path)
    except PerformerError as error:
        return Seen(path, None, "is damaged or cut short", error.detail)
    published = RELEASED.get(fingerprint(shapes), "")
    kind = _KINDS.get(published) or _by_shapes(path, shapes)
    if kind:
        return Seen(path, kind, f"is {NAMES[kind]}")
    return Seen(path, None, f"is {published}" if published else _described(shapes))


def _by_shapes(path: Path, shapes: Shapes) -> Kind | None:
    bare = {name.removeprefix("wav2vec2."): shape for name, shape in shapes.items()}
    if all(bare.get(name) == shape for name, shape in _AUDIO_SHAPES.items()):
        return "audio"
    if "decoder.22.weight" in shapes:
        with path.open("rb") as file:
            return "small_decoder" if hashlib.file_digest(file, "sha256").hexdigest() == SMALL_DECODER_SHA256 else None
    return None


def _described(shapes: Shapes) -> str:
    """What a file is that has these tensors, as far as anybody can tell, and what it is not."""
    if _VIDEO_MARK in shapes:
        return f"is a video model with {_dimensions(shapes[_VIDEO_MARK])}; LiveTalk-1.3B has 1536 x 33 x 1 x 2 x 2"
    if "decoder.22.weight" in shapes:
        return "is a small decoder, but not taew2_1, whose latents are scaled as ours are"
    if any(name.endswith(".base_layer.weight") or "lora_" in name for name in shapes):
        return "is a LoRA that was not merged into its model"
    name, shape = next(iter(shapes.items()))
    return f"is another model: {len(shapes)} tensors, the first {name} with {_dimensions(shape)}"


def _dimensions(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _candidates(folder: Path, depth: int) -> Iterator[Path]:
    """Files of weights and a tokenizer's folder, in the order of their names."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    names = {entry.name for entry in entries}
    if "tokenizer_config.json" in names and {"tokenizer.json", "spiece.model"} & names and "umt5" in folder.name:
        yield folder
    for entry in entries:
        if entry.is_dir():
            if depth:
                yield from _candidates(entry, depth - 1)
        elif entry.suffix in SUFFIXES:
            yield entry
