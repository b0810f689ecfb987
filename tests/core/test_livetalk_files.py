"""The files of LiveTalk-1.3B are known by what is in them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch

from core.errors import PerformerError, Problem
from core.performer.livetalk.files import find, look, own_folder, recognise
from tests.livetalk_files import Miniature, pickled, safetensors, transformer_shapes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def miniature() -> Miniature:
    return Miniature()


def test_a_folder_of_the_official_instructions_works_as_it_is(miniature: Miniature, tmp_path: Path) -> None:
    found = look([miniature.put(tmp_path)])
    files = found.files()
    assert files.transformer == tmp_path / "LiveTalk-1.3B-V0.1/model.safetensors"
    assert files.vae == tmp_path / "Wan2.1-T2V-1.3B/Wan2.1_VAE.pth"
    assert files.text == tmp_path / "Wan2.1-T2V-1.3B/models_t5_umt5-xxl-enc-bf16.pth"
    assert files.tokenizer == tmp_path / "Wan2.1-T2V-1.3B/google/umt5-xxl"
    assert files.audio == tmp_path / "wav2vec2/model.safetensors"
    assert files.small_decoder is None
    assert found.others == ()


def test_names_and_places_do_not_matter(miniature: Miniature, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(miniature.contents["LiveTalk-1.3B-V0.1/model.safetensors"])
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/b.pt").write_bytes(miniature.contents["Wan2.1-T2V-1.3B/Wan2.1_VAE.pth"])
    paths = look([tmp_path]).paths
    assert paths == {"transformer": tmp_path / "a.safetensors", "vae": tmp_path / "deep/er/b.pt"}


def test_what_is_named_comes_before_what_was_fetched(
    miniature: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVETALK_MODELS", str(tmp_path / "models"))
    miniature.put(own_folder())
    miniature.put(tmp_path / "mine", "wav2vec2/model.safetensors")
    paths = find(str(tmp_path / "mine")).paths
    assert paths["vae"].is_relative_to(tmp_path / "mine")
    assert paths["audio"].is_relative_to(own_folder())


def test_without_the_text_encoder_prompts_that_were_read_before_still_work(
    miniature: Miniature, tmp_path: Path
) -> None:
    miniature.put(tmp_path, "Wan2.1-T2V-1.3B/models_t5_umt5-xxl-enc-bf16.pth")
    found = look([tmp_path])
    assert found.files(text_needed=False).text is None
    with pytest.raises(PerformerError) as missing:
        found.files()
    assert (missing.value.problem, missing.value.title) == (
        Problem.MODEL_MISSING,
        "Files of LiveTalk 1.3B are missing: the UMT5-XXL text encoder.",
    )
    assert "livetalk models fetch livetalk-1.3b" in missing.value.advice


def test_a_file_that_was_cut_short_is_named_with_its_bytes(miniature: Miniature, tmp_path: Path) -> None:
    miniature.put(tmp_path)
    path = tmp_path / "LiveTalk-1.3B-V0.1/model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    with pytest.raises(PerformerError) as cut:
        look([tmp_path]).files()
    assert cut.value.problem is Problem.MODEL_DAMAGED
    assert '"model.safetensors" is damaged or cut short.' in cut.value.advice
    assert f"{len(whole) - 1000} bytes where the header speaks of {len(whole)}" in cut.value.detail


@pytest.mark.parametrize("kept", [0, 5, 100, 10_000])
def test_a_pickle_that_was_cut_short_is_damaged(miniature: Miniature, tmp_path: Path, kept: int) -> None:
    (tmp_path / "vae.pth").write_bytes(miniature.contents["Wan2.1-T2V-1.3B/Wan2.1_VAE.pth"][:kept])
    assert recognise(tmp_path / "vae.pth").what == "is damaged or cut short"


def test_a_file_that_runs_code_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return sys.exit, ("code in the file was run",)

    torch.save({"weight": Evil()}, tmp_path / "model.pth")
    assert recognise(tmp_path / "model.pth").kind is None


def test_other_models_are_called_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "wan.safetensors").write_bytes(safetensors(transformer_shapes(channels=16)))
    (tmp_path / "teacher.safetensors").write_bytes(safetensors(transformer_shapes(5120, 13_824, 40)))
    (tmp_path / "small.safetensors").write_bytes(safetensors(transformer_shapes(768, 3072, 12)))
    (tmp_path / "lora.pt").write_bytes(pickled({"blocks.0.self_attn.q.lora_A.default.weight": (128, 1536)}))
    (tmp_path / "language.bin").write_bytes(pickled({"lm_head.weight": (32_000, 4096)}))
    whats = {seen.path.name: seen.what for seen in look([tmp_path]).others}
    assert whats == {
        "wan.safetensors": "is Wan2.1-T2V-1.3B, which hears nothing",
        "teacher.safetensors": "is OmniAvatar 14B, merged",
        "small.safetensors": "is a video model with 768 x 33 x 1 x 2 x 2; LiveTalk-1.3B has 1536 x 33 x 1 x 2 x 2",
        "lora.pt": "is a LoRA that was not merged into its model",
        "language.bin": "is another model: 1 tensors, the first lm_head.weight with 32000 x 4096",
    }


def test_a_small_decoder_of_another_make_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "lighttaew2_1.pth").write_bytes(pickled({"decoder.22.weight": (3, 64, 3, 3)}))
    seen = recognise(tmp_path / "lighttaew2_1.pth")
    assert seen.kind is None
    assert seen.what == "is a small decoder, but not taew2_1, whose latents are scaled as ours are"


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert look([tmp_path / "gone"]).paths == {}
