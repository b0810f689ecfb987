"""Prompts to what the transformer reads: UMT5's rows for a text, made once and kept on disk."""

from __future__ import annotations

import hashlib
import html
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from core.errors import PerformerError, Problem
from core.performer.livetalk.checkpoint import load_strictly
from core.performer.livetalk.fingerprint import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import UMT5EncoderModel

    from core.performer.livetalk.spec import TextSizes

_PADDING = 0
_SAMPLED = 1 << 20
"""Bytes from the beginning and from the end of a weights' file that tell its version apart."""


_LAST = "last-encoder"
"""Names the weights whose rows lie in a folder of prompts."""


class TextEncoder(Protocol):
    """What turns one prompt into rows."""

    def __call__(self, prompt: str) -> Tensor:
        """[rows, dim]; rows beyond the prompt are zero."""
        ...


class PromptCache:
    """Encoded prompts on disk, so that the encoder's 11 GB are needed once for each prompt and never to talk.

    Any thread; two that encode the same prompt at once write the same file twice.

    Args:
        folder: where the files are kept; made when something is.
        sizes: of the encoder the rows come from.
        weights: what `weights_key` says of the encoder's file, so that other weights never serve.
    """

    def __init__(self, folder: Path, sizes: TextSizes, weights: str) -> None:
        self._folder, self._sizes, self._weights = folder, sizes, weights

    @staticmethod
    def last(folder: Path, sizes: TextSizes) -> PromptCache | None:
        """That of the encoder which read prompts last, where its file is not here any more; None if none ever did."""
        try:
            return PromptCache(folder, sizes, (folder / _LAST).read_text("ascii"))
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def file(self, prompt: str) -> Path:
        """Where the rows of a prompt are, or would be."""
        key = hashlib.sha256(f"{self._weights}\n{self._sizes}\n{cleaned(prompt)}".encode()).hexdigest()
        return self._folder / f"{key[:32]}.safetensors"

    def load(self, prompt: str) -> Tensor | None:
        """Rows [1, rows, dim] on the processor; None when this prompt has not been encoded, or its file is broken."""
        try:
            filled = load_file(self.file(prompt))["rows"]
        except (FileNotFoundError, SafetensorError, KeyError):
            return None
        rows = torch.zeros(1, self._sizes.rows, self._sizes.dim, dtype=filled.dtype)
        rows[0, : len(filled)] = filled
        return rows

    def encode(self, prompts: Sequence[str], open_encoder: Callable[[], TextEncoder]) -> None:
        """Make and keep the rows of every prompt that has none; the encoder is opened only if one is missing.

        Raises:
            PerformerError: the encoder cannot be opened, or the rows cannot be written.
        """
        missing = [prompt for prompt in prompts if self.load(prompt) is None]
        if not missing:
            return
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
        encode = open_encoder()
        for prompt in missing:
            self._keep(prompt, encode(prompt))
        with self._writing():
            (self._folder / _LAST).write_text(self._weights, "ascii")

    def _keep(self, prompt: str, rows: Tensor) -> None:
        """Write the rows of a prompt, whole or not at all."""
        filled = int(rows.abs().amax(1).gt(0).sum())  # the rest is zeros
        part = self.file(prompt).with_suffix(".part")
        with self._writing():
            try:
                part.write_bytes(save({"rows": rows[:filled].cpu().contiguous()}))
                part.replace(self.file(prompt))
            except OSError:
                part.unlink(missing_ok=True)
                raise

    @contextmanager
    def _writing(self) -> Generator[None]:
        """A disk that is full or may not be written, in words."""
        try:
            yield
        except OSError as error:
            raise PerformerError(
                Problem.MODEL_MISSING,
                "The prompts of LiveTalk 1.3B were read and could not be kept.",
                f"Make some room, and check that “{self._folder}” can be written.",
                detail=str(error),
            ) from error


def weights_key(file: Path) -> str:
    """Tells weights apart without reading 11 GB: the names and shapes, the size, and both ends of the file.

    Raises:
        PerformerError: the file is missing or damaged.
    """
    key = hashlib.sha256(fingerprint_of(file).encode())
    size = file.stat().st_size
    with file.open("rb") as opened:
        key.update(f"{size}".encode() + opened.read(_SAMPLED))
        opened.seek(max(0, size - _SAMPLED))
        key.update(opened.read(_SAMPLED))
    return key.hexdigest()


@dataclass(frozen=True, eq=False)
class Umt5:
    """The encoder with its tokenizer, for as long as it is held."""

    model: UMT5EncoderModel
    tokenizer: Tokenizer
    sizes: TextSizes

    @torch.inference_mode()
    def __call__(self, prompt: str) -> Tensor:
        ids = self.tokenizer.encode(cleaned(prompt)).ids[: self.sizes.rows]
        device = self.model.shared.weight.device
        return rows_of(self.model, torch.tensor([padded(ids, self.sizes.rows)], device=device))[0]


def open_umt5(file: Path, tokenizer: Path, sizes: TextSizes, *, device: torch.device, dtype: torch.dtype) -> Umt5:
    """The encoder from the released file; forget it when the prompts are encoded, and its memory is free again.

    Args:
        tokenizer: the folder with `tokenizer.json`.

    Raises:
        PerformerError: a file is missing, damaged, or another model's.
    """
    from tokenizers import Tokenizer

    described = tokenizer / "tokenizer.json"
    if not described.is_file():
        raise PerformerError(
            Problem.MODEL_MISSING,
            "The tokenizer of the text encoder is not there.",
            "Fetch it with “livetalk models fetch livetalk-1.3b”.",
            detail=str(described),
        )
    names = own_names(sizes.layers)
    model = load_strictly(
        empty_encoder(sizes),
        file,
        what="the UMT5-XXL text encoder",
        device=device,
        dtype=dtype,
        rename=lambda name: names.get(name, name),
    )
    words = Tokenizer.from_file(str(described))
    words.no_padding()
    words.enable_truncation(sizes.rows)
    return Umt5(model.requires_grad_(False).eval(), words, sizes)


def rows_of(model: UMT5EncoderModel, ids: Tensor) -> Tensor:
    """Token ids [batch, rows], padded with 0 -> [batch, rows, dim]; rows of padding are zero."""
    mask = ids.ne(_PADDING)
    hidden: Tensor = model(inputs_embeds=model.shared(ids), attention_mask=mask.long()).last_hidden_state
    return hidden * mask[..., None]


def padded(ids: Sequence[int], rows: int) -> list[int]:
    return [*ids, *[_PADDING] * (rows - len(ids))]


def cleaned(prompt: str) -> str:
    """Mended encoding, no HTML signs, single spaces; the case stays."""
    import ftfy

    mended = html.unescape(html.unescape(ftfy.fix_text(prompt))).strip()
    return re.sub(r"\s+", " ", mended).strip()


def empty_encoder(sizes: TextSizes) -> UMT5EncoderModel:
    """transformers' encoder of these sizes, without memory; it has one embedding and is given embedded words."""
    from transformers import UMT5Config, UMT5EncoderModel

    config = UMT5Config(
        vocab_size=sizes.vocabulary,
        d_model=sizes.dim,
        d_kv=sizes.attention_dim // sizes.heads,
        d_ff=sizes.ffn_dim,
        num_layers=sizes.layers,
        num_heads=sizes.heads,
        relative_attention_num_buckets=sizes.buckets,
        relative_attention_max_distance=sizes.max_distance,
        feed_forward_proj="gated-gelu",
        layer_norm_epsilon=1e-6,
        dropout_rate=0.0,
    )
    with torch.device("meta"):
        model = UMT5EncoderModel(config)
    model.set_attn_implementation("eager")  # as released; the fused kernels add up in another order
    model.encoder.embed_tokens = None  # a second name for `shared`, which no file has
    return model


def own_names(layers: int) -> dict[str, str]:
    """transformers' name for every tensor of the released file (section 6 of the checkpoint's description)."""
    names = {"token_embedding.weight": "shared.weight", "norm.weight": "encoder.final_layer_norm.weight"}
    for layer in range(layers):
        theirs, ours = f"blocks.{layer}", f"encoder.block.{layer}.layer"
        names |= {f"{theirs}.attn.{part}.weight": f"{ours}.0.SelfAttention.{part}.weight" for part in "qkvo"}
        names |= {
            f"{theirs}.norm1.weight": f"{ours}.0.layer_norm.weight",
            f"{theirs}.pos_embedding.embedding.weight": f"{ours}.0.SelfAttention.relative_attention_bias.weight",
            f"{theirs}.norm2.weight": f"{ours}.1.layer_norm.weight",
            f"{theirs}.ffn.gate.0.weight": f"{ours}.1.DenseReluDense.wi_0.weight",
            f"{theirs}.ffn.fc1.weight": f"{ours}.1.DenseReluDense.wi_1.weight",
            f"{theirs}.ffn.fc2.weight": f"{ours}.1.DenseReluDense.wo.weight",
        }
    return names
