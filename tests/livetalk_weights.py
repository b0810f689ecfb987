"""A folder of weights as `spec.json` describes it: LiveTalk's whole architecture, very small, at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import torch
from safetensors.torch import save_file

from core.performer.diffusion.sizes import Sizes
from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.opening import SPEC
from core.performer.livetalk.small_decoder import SmallDecoder, SmallSizes
from core.performer.livetalk.spec import AudioSizes, LiveTalkSpec, TextSizes, VaeSizes
from core.performer.livetalk.vae import WanVae
from core.performer.livetalk.wav2vec import Wav2Vec2

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

_AUDIO = AudioSizes(dim=16, ffn_dim=16, layers=1, heads=2, conv_dim=8)
MINI = LiveTalkSpec(
    "livetalk-mini",
    Sizes(
        dim=48,
        ffn_dim=32,
        layers=4,
        heads=2,
        text_dim=16,
        audio_dim=_AUDIO.features,
        audio_hidden=6,
        audio_layers=(2,),
    ),
    audio=_AUDIO,
    text=TextSizes(vocabulary=40, dim=16, attention_dim=16, ffn_dim=16, layers=1, heads=2, rows=8),
    vae=VaeSizes(dim=4),
    width=32,
    height=32,
)


def write_weights(folder: Path, *, small_decoder: bool = True) -> Path:
    """Everything that a performer of `MINI` loads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SPEC).write_bytes(msgspec.json.encode(MINI))
    torch.manual_seed(0)
    models: dict[str, nn.Module] = {
        "transformer": Transformer(MINI.transformer),
        "vae": WanVae(MINI.vae),
        "audio": Wav2Vec2(MINI.audio),
    }
    if small_decoder:
        models["small_decoder"] = SmallDecoder(SmallSizes(widths=(10, 5, 4, 4)))
    for name, model in models.items():
        save_file(model.state_dict(), folder / f"{name}.safetensors")
    _write_text_encoder(folder)
    return folder


def _write_text_encoder(folder: Path) -> None:
    """Weights by the released names, and a tokenizer that knows every prompt's words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    from core.performer.livetalk.text_encoder import empty_encoder, own_names

    ours = {name: tuple(tensor.shape) for name, tensor in empty_encoder(MINI.text).state_dict().items()}
    names = own_names(MINI.text.layers)
    save_file({theirs: torch.randn(ours[own]) for theirs, own in names.items()}, folder / "text.safetensors")
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {chr(code): code - 94 for code in range(97, 123)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    (folder / "tokenizer").mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer" / "tokenizer.json"))
