"""What LiveTalk reads: transformers' UMT5 by the released names, run once for each prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from core.errors import PerformerError
from core.performer.livetalk.spec import TINY
from core.performer.livetalk.text_encoder import (
    PromptCache,
    cleaned,
    open_umt5,
    own_names,
    padded,
    weights_key,
)

if TYPE_CHECKING:
    from transformers import UMT5EncoderModel

    from core.performer.livetalk.text_encoder import Umt5

SIZES = TINY.text
CPU = torch.device("cpu")
PROMPT = "a calm face that talks"


@pytest.fixture(scope="module")
def theirs() -> UMT5EncoderModel:
    from transformers import UMT5Config, UMT5EncoderModel

    torch.manual_seed(0)
    config = UMT5Config(
        vocab_size=SIZES.vocabulary,
        d_model=SIZES.dim,
        d_kv=SIZES.attention_dim // SIZES.heads,
        d_ff=SIZES.ffn_dim,
        num_layers=SIZES.layers,
        num_heads=SIZES.heads,
        feed_forward_proj="gated-gelu",
    )
    model = UMT5EncoderModel(config).requires_grad_(False).eval()
    for parameter in model.parameters():
        parameter += 0.05 * torch.randn_like(parameter)
    return model


@pytest.fixture
def files(tmp_path: Path, theirs: UMT5EncoderModel) -> tuple[Path, Path]:
    """Weights as published, and a tokenizer that knows ten words."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    held = theirs.state_dict()
    released = {name: held[own].clone() for name, own in own_names(SIZES.layers).items()}
    torch.save(released, tmp_path / "umt5.pth")
    words = ["<pad>", "</s>", "<unk>", *PROMPT.split()]
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    (tmp_path / "umt5").mkdir()
    tokenizer.save(str(tmp_path / "umt5" / "tokenizer.json"))
    return tmp_path / "umt5.pth", tmp_path / "umt5"


def opened(files: tuple[Path, Path]) -> Umt5:
    return open_umt5(*files, SIZES, device=CPU, dtype=torch.float32)


def test_rows_are_those_of_transformers_and_padding_is_nothing(
    files: tuple[Path, Path], theirs: UMT5EncoderModel
) -> None:
    rows = opened(files)(PROMPT)
    ids = torch.tensor([padded([3, 4, 5, 6, 7, 1], SIZES.rows)])
    wanted = theirs(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state[0]
    assert rows.shape == (SIZES.rows, SIZES.dim)
    assert (rows[:6] - wanted[:6]).abs().max() < 1e-5
    assert rows[6:].abs().max() == 0


def test_a_long_prompt_is_cut_and_still_ends(files: tuple[Path, Path]) -> None:
    encoder = opened(files)
    rows = encoder(" ".join([PROMPT] * 9))
    assert rows.abs().amax(1).gt(0).all()
    assert encoder.tokenizer.encode(" ".join([PROMPT] * 9)).ids[-1] == 1


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("  two\n\n words\t", "two words"),
        ("Keep CASE", "Keep CASE"),
        ("a &amp;amp; b", "a & b"),
        ("cafÃ©", "café"),
    ],
)
def test_a_prompt_is_cleaned_as_in_training(written: str, read: str) -> None:
    assert cleaned(written) == read


def test_a_prompt_is_encoded_once_and_then_the_encoder_is_not_opened(tmp_path: Path, files: tuple[Path, Path]) -> None:
    opened_times: list[int] = []

    def open_it() -> Umt5:
        opened_times.append(1)
        return opened(files)

    cache = PromptCache(tmp_path / "prompts", SIZES, weights_key(files[0]))
    assert cache.load(PROMPT) is None
    cache.encode([PROMPT, "talks"], open_it)
    cache.encode([f"  {PROMPT} ", "talks"], open_it)
    assert len(opened_times) == 1
    rows = PromptCache(tmp_path / "prompts", SIZES, weights_key(files[0])).load(PROMPT)
    assert rows is not None
    assert torch.equal(rows[0], opened(files)(PROMPT))


def test_rows_serve_when_the_encoder_has_gone(tmp_path: Path, files: tuple[Path, Path]) -> None:
    assert PromptCache.last(tmp_path / "prompts", SIZES) is None
    PromptCache(tmp_path / "prompts", SIZES, weights_key(files[0])).encode([PROMPT], lambda: opened(files))
    left = PromptCache.last(tmp_path / "prompts", SIZES)
    assert left is not None
    rows = left.load(PROMPT)
    assert rows is not None
    assert torch.equal(rows[0], opened(files)(PROMPT))
    assert left.load("another prompt") is None


def test_rows_of_other_weights_never_serve(tmp_path: Path, files: tuple[Path, Path]) -> None:
    cache = PromptCache(tmp_path / "prompts", SIZES, weights_key(files[0]))
    cache.encode([PROMPT], lambda: opened(files))
    held = torch.load(files[0], weights_only=True)
    held["norm.weight"] += 1
    torch.save(held, tmp_path / "other.pth")
    assert weights_key(tmp_path / "other.pth") != weights_key(files[0])
    assert PromptCache(tmp_path / "prompts", SIZES, weights_key(tmp_path / "other.pth")).load(PROMPT) is None


def test_a_broken_file_of_rows_is_made_again(tmp_path: Path, files: tuple[Path, Path]) -> None:
    cache = PromptCache(tmp_path / "prompts", SIZES, "key")
    cache.encode([PROMPT], lambda: opened(files))
    cache.file(PROMPT).write_bytes(cache.file(PROMPT).read_bytes()[:40])
    assert cache.load(PROMPT) is None
    cache.encode([PROMPT], lambda: opened(files))
    assert cache.load(PROMPT) is not None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_disk_that_is_full_is_told_and_leaves_nothing_half_written(tmp_path: Path, files: tuple[Path, Path]) -> None:
    cache = PromptCache(tmp_path / "prompts", SIZES, "key")
    part = cache.file(PROMPT).with_suffix(".part")
    part.parent.mkdir()
    part.symlink_to("/dev/full")
    with pytest.raises(PerformerError, match="could not be kept") as full:
        cache.encode([PROMPT], lambda: opened(files))
    assert "No space left" in full.value.detail
    assert list(part.parent.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_before_the_encoder_is_opened(tmp_path: Path) -> None:
    (tmp_path / "prompts").write_text("a file in the way")

    def never() -> Umt5:
        raise AssertionError("eleven gigabytes for nothing")

    with pytest.raises(PerformerError, match="could not be kept"):
        PromptCache(tmp_path / "prompts", SIZES, "key").encode([PROMPT], never)


def test_a_missing_tokenizer_is_told(tmp_path: Path, files: tuple[Path, Path]) -> None:
    with pytest.raises(PerformerError, match="tokenizer"):
        open_umt5(files[0], tmp_path, SIZES, device=CPU, dtype=torch.float32)


def test_an_encoder_that_lacks_a_tensor_is_told_by_its_name(tmp_path: Path, files: tuple[Path, Path]) -> None:
    held = torch.load(files[0], weights_only=True)
    del held["blocks.1.ffn.fc2.weight"]
    save_file(held, tmp_path / "short.safetensors")
    with pytest.raises(PerformerError, match="not the UMT5-XXL text encoder") as raised:
        open_umt5(tmp_path / "short.safetensors", files[1], SIZES, device=CPU, dtype=torch.float32)
    assert "encoder.block.1.layer.1.DenseReluDense.wo.weight" in raised.value.detail
