"""LiveTalk as a performer: blocks in step with the sound, whatever is asked of it, and trouble in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
import torch

from core.errors import PerformerError, PerformerUnfit, Problem
from core.media import SpeechBlock, Turn
from core.performer.device import CpuDevice, DeviceFailure, HostCopy, OutOfMemory
from core.performer.livetalk.model import LiveTalkModel, random_model
from core.performer.livetalk.opening import SPEC, open_performer
from core.performer.livetalk.performer import LiveTalkPerformer
from core.performer.livetalk.picture import framed
from core.performer.livetalk.pipeline import lesser
from core.performer.livetalk.prompts import SCENE, all_prompts, prompt_for
from core.performer.livetalk.spec import FAST, FASTEST, LIVETALK_1_3B, LOW, PRESETS, QUALITY
from core.performer.still import StillPerformer
from core.settings import PRESETS as SETTINGS_PRESETS
from tests.livetalk_weights import MINI, write_weights

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.livetalk.performer import LiveTalkIdentity, LiveTalkPerformance


@pytest.fixture(scope="module")
def model() -> LiveTalkModel:
    return random_model(MINI, FAST, CpuDevice())


@pytest.fixture(scope="module")
def performer(model: LiveTalkModel) -> LiveTalkPerformer:
    return LiveTalkPerformer(model, CpuDevice())


@pytest.fixture(scope="module")
def identity(performer: LiveTalkPerformer) -> LiveTalkIdentity:
    return performer.prepare(picture(0))


def picture(seed: int, size: tuple[int, int] = (96, 80)) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def block_for(performance: LiveTalkPerformance, seed: int, turn: Turn | None = None) -> SpeechBlock:
    noise = np.random.default_rng(seed)
    samples = noise.standard_normal(performance.next_frames * MINI.samples_per_frame) * 0.1
    ahead = noise.standard_normal(MINI.lookahead) * 0.1
    return SpeechBlock(turn, samples.astype(np.float32), ahead.astype(np.float32))


def acted(performance: LiveTalkPerformance, seed: int) -> Pixels:
    return performance.draw(performance.imagine(block_for(performance, seed))).wait()


def test_the_released_model_is_16_frames_a_second_nine_then_twelve() -> None:
    spec = LIVETALK_1_3B.performer_spec(QUALITY)
    assert (spec.fps, spec.width, spec.height, spec.samples_per_frame) == (16, 512, 512, 1500)
    assert (spec.first_frames, spec.block_frames, spec.tokens_per_frame) == (9, 12, 1024)
    assert spec.memory_mb == QUALITY.memory_mb


def test_every_latent_of_a_block_is_seen_as_soon_as_it_is_drawn(
    performer: LiveTalkPerformer, identity: LiveTalkIdentity
) -> None:
    performance = performer.open(identity, 0)
    sizes: list[list[int]] = []
    for seed in range(7):
        frames = performance.next_frames
        pieces = list(performance.draw(performance.imagine(block_for(performance, seed, Turn(1, "hi")))).pieces())
        assert all(piece.shape[1:] == (32, 32, 3) and piece.dtype == np.uint8 for piece in pieces)
        sizes.append([len(piece) for piece in pieces])
        assert sum(sizes[-1]) == frames
    assert sizes == [[1, 4, 4], *[[4, 4, 4]] * 6]


def test_the_same_seed_and_sound_repeat_and_others_do_not(
    performer: LiveTalkPerformer, identity: LiveTalkIdentity
) -> None:
    def film(seed: int, sound: int) -> Pixels:
        performance = performer.open(identity, seed)
        return np.concatenate([acted(performance, sound + block) for block in range(3)])

    first = film(1, 10)
    film(9, 90)
    assert np.array_equal(film(1, 10), first), "nothing is left of the performance before"
    assert not np.array_equal(film(2, 10), first)
    assert not np.array_equal(film(1, 20), first)


@pytest.mark.parametrize("blocks", [0, 1, 6])
def test_a_block_that_is_taken_back_was_never_imagined(
    performer: LiveTalkPerformer, identity: LiveTalkIdentity, blocks: int
) -> None:
    films: list[list[Pixels]] = []
    for forgets in (False, True):
        performance = performer.open(identity, 3)
        film = [acted(performance, block) for block in range(blocks)]
        if forgets:
            performance.imagine(block_for(performance, 77))
            performance.rewind()
            performance.rewind()
        film += [acted(performance, 100 + block) for block in range(3)]
        films.append(film)
    assert all(np.array_equal(one, other) for one, other in zip(*films, strict=True))


def test_the_portrait_is_the_middle_of_the_picture_and_its_latent_what_the_vae_sees(
    performer: LiveTalkPerformer, model: LiveTalkModel
) -> None:
    image = picture(4, (120, 64))
    identity = performer.prepare(image)
    seen = framed(image, 32, 32)
    assert np.abs(identity.picture - (seen.permute(1, 2, 0).numpy() * 127.5 + 127.5)).max() <= 0.51
    assert torch.equal(torch.from_numpy(identity.latent), model.vae.encode(seen[None])[0])
    assert identity.key == performer.prepare(image).key != performer.prepare(picture(5)).key


def test_a_picture_without_pixels_is_refused(performer: LiveTalkPerformer) -> None:
    with pytest.raises(PerformerError, match="only 40 by 30 pixels") as refused:
        performer.prepare(picture(0, (30, 40)))
    assert refused.value.problem is Problem.PICTURE_REFUSED


def test_an_identity_of_another_performer_is_a_bug(performer: LiveTalkPerformer) -> None:
    from core.media import MediaFormat

    with pytest.raises(TypeError, match="made no"):
        performer.open(StillPerformer(MediaFormat()).prepare(picture(0)), 0)


def test_a_style_is_a_prompt_of_its_own_and_unknown_words_say_nothing(performer: LiveTalkPerformer) -> None:
    def first(style: str) -> Pixels:
        performer.direct(style, 0.5)
        return acted(performer.open(performer.prepare(picture(0)), 0), 0)

    assert prompt_for("") == prompt_for("purple") == SCENE
    assert prompt_for("purple, Smiling, calm") == prompt_for("smiling") != SCENE
    assert len(set(all_prompts())) == 6
    plain = first("")
    assert not np.array_equal(first("serious"), plain)
    assert np.array_equal(first("purple"), plain)
    performer.direct("", 0.5)


def test_a_manner_that_changes_in_mid_stream_begins_nothing_anew(
    performer: LiveTalkPerformer, identity: LiveTalkIdentity
) -> None:
    def film(*manner: str) -> list[Pixels]:
        performer.direct("", 0.5)
        performance = performer.open(performer.prepare(picture(0)), 0)
        shown = [acted(performance, block) for block in range(2)]
        for style in manner:
            performance.close()
            performer.direct(style, 0.5)
            performance = performer.open(performer._on_stage, 0)
            assert performance.next_frames == 12, "the stream goes on"
        return [*shown, acted(performance, 2), acted(performance, 3)]

    plain, directed, unchanged = film(), film("serious"), film("")
    assert all(np.array_equal(one, other) for one, other in zip(plain, unchanged, strict=True))
    same = [np.array_equal(one, other) for one, other in zip(plain, directed, strict=True)]
    assert same == [True, True, False, False]
    performer.direct("", 0.5)
    assert performer.open(identity, 0).next_frames == 9, "another portrait begins anew"
    assert performer.open(identity, 0).next_frames == 9, "and so does the same one when nothing was directed"


@pytest.mark.parametrize("preset", [QUALITY, FASTEST, LOW], ids=lambda preset: preset.name)
def test_every_preset_runs(preset: object) -> None:
    performer = LiveTalkPerformer(random_model(MINI, preset, CpuDevice()), CpuDevice())
    performance = performer.open(performer.prepare(picture(0)), 0)
    frames = [acted(performance, block) for block in range(7)]
    assert [len(drawn) for drawn in frames] == [9, *[12] * 6]
    assert np.ptp(frames[-1].astype(int)) > 0


# -- trouble


def test_latents_that_are_no_numbers_become_trouble_that_can_be_told_and_not_a_picture(
    identity: LiveTalkIdentity,
) -> None:
    model = random_model(MINI, FAST, CpuDevice())
    performer = LiveTalkPerformer(model, CpuDevice())
    performance = performer.open(identity, 0)
    acted(performance, 0)
    model.transformer.head.head.bias[0] = float("nan")
    drawn = performance.draw(performance.imagine(block_for(performance, 1)))
    with pytest.raises(PerformerError, match="broke off") as trouble:
        next(drawn.pieces())
    assert trouble.value.problem is Problem.PICTURE_RESTARTED
    assert not isinstance(trouble.value, PerformerUnfit)
    model.transformer.head.head.bias[0] = 0.0
    again = performer.open(identity, 0)
    assert len(acted(again, 0)) == 9, "begun anew, it goes on"


class BrokenDevice(CpuDevice):
    """Raises when pixels are to be handed over."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._later = error

    def to_host(self, tensor: torch.Tensor) -> HostCopy:
        if self.error:
            raise self.error
        return super().to_host(tensor)

    def breaks(self) -> None:
        self.error = self._later


@pytest.mark.parametrize(
    ("error", "words"),
    [(OutOfMemory("CUDA out of memory"), "no memory left"), (DeviceFailure("launch failed"), "stopped working")],
)
def test_a_device_that_fails_is_told_in_words_and_the_performer_is_unfit(
    model: LiveTalkModel, identity: LiveTalkIdentity, error: Exception, words: str
) -> None:
    device = BrokenDevice(error)
    performance = LiveTalkPerformer(model, device).open(identity, 0)
    acted(performance, 0)
    device.breaks()
    with pytest.raises(PerformerUnfit, match=words) as trouble:
        acted(performance, 1)
    assert str(error) in trouble.value.detail


def test_a_full_gpu_is_told_which_preset_needs_less() -> None:
    assert [lesser(preset) for preset in (QUALITY, FAST, FASTEST, LOW)] == [FAST, FASTEST, LOW, None]
    device = BrokenDevice(OutOfMemory("CUDA out of memory"))
    performer = LiveTalkPerformer(random_model(MINI, FASTEST, device), device)
    performance = performer.open(performer.prepare(picture(0)), 0)
    device.breaks()
    with pytest.raises(PerformerUnfit) as trouble:
        acted(performance, 0)
    assert f"“{LOW.name}” needs {LOW.memory_mb // 1000} GB" in trouble.value.advice


# -- from a folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVETALK_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_folder_with_its_spec_is_loaded_whole_and_prompts_are_read_once(
    folder: Path, data: Path, tmp_path: Path
) -> None:
    first = open_performer(str(folder))
    film = acted(first.open(first.prepare(picture(0)), 0), 0)
    assert len(list((data / "prompts").glob("*.safetensors"))) == len(all_prompts())
    (tmp_path / "again").mkdir()
    for path in folder.iterdir():
        if path.name != "tokenizer":
            (tmp_path / "again" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "again" / "tokenizer").mkdir()
    again = open_performer(str(tmp_path / "again"))
    assert np.array_equal(acted(again.open(again.prepare(picture(0)), 0), 0), film), "the tokenizer was not asked"


@pytest.mark.usefixtures("data")
def test_a_smaller_preset_can_be_asked_for_until_there_is_none(folder: Path) -> None:
    assert open_performer(str(folder)).spec.memory_mb == QUALITY.memory_mb
    assert open_performer(str(folder), below_mb=QUALITY.memory_mb).spec.memory_mb == FAST.memory_mb
    with pytest.raises(PerformerError, match="No preset"):
        open_performer(str(folder), below_mb=LOW.memory_mb)


@pytest.mark.usefixtures("data")
def test_the_preset_that_was_chosen_is_the_one_that_runs_and_says_what_draws(folder: Path) -> None:
    low = open_performer(str(folder), wanted="low").spec
    assert (low.memory_mb, low.variant) == (LOW.memory_mb, "low, Small decoder (TAEHV)")
    assert open_performer(str(folder), wanted="quality").spec.variant == "quality"
    with pytest.raises(PerformerError, match="no preset called “lightning”"):
        open_performer(str(folder), wanted="lightning")


@pytest.mark.usefixtures("data")
def test_a_preset_whose_decoder_is_not_here_is_refused_and_not_exchanged(tmp_path: Path) -> None:
    bare = write_weights(tmp_path / "bare", small_decoder=False)
    with pytest.raises(PerformerError, match="small decoder") as refused:
        open_performer(str(bare), wanted="fast")
    assert refused.value.problem is Problem.MODEL_MISSING


def test_presets_are_called_in_the_settings_as_they_are_here() -> None:
    assert ("auto", *(preset.name for preset in PRESETS)) == SETTINGS_PRESETS


@pytest.mark.usefixtures("data")
def test_without_the_small_decoder_only_the_best_preset_is_there(tmp_path: Path) -> None:
    bare = write_weights(tmp_path / "bare", small_decoder=False)
    assert open_performer(str(bare)).spec.memory_mb == QUALITY.memory_mb
    with pytest.raises(PerformerError, match="No preset"):
        open_performer(str(bare), below_mb=QUALITY.memory_mb)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("name", ["transformer", "vae", "audio", "small_decoder"])
def test_a_file_of_another_model_is_refused_by_name(folder: Path, tmp_path: Path, name: str) -> None:
    for path in folder.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "tokenizer").symlink_to(folder / "tokenizer")
    other = "audio" if name != "audio" else "vae"
    (tmp_path / f"{name}.safetensors").write_bytes((folder / f"{other}.safetensors").read_bytes())
    with pytest.raises(PerformerError, match=f"{name}.safetensors") as refused:
        open_performer(str(tmp_path), below_mb=QUALITY.memory_mb)
    assert refused.value.problem is Problem.MODEL_DAMAGED


@pytest.mark.parametrize(
    "written",
    [
        b'{"name": "mine", "transformer": 3}',
        b"[1, 2]",
        b'"livetalk"',
        b"null",
        b"{",
        b"",
        b"\xff\xfe",
        msgspec.json.encode(MINI).replace(b'"fps":16', b'"fps":0'),
        msgspec.json.encode(MINI).replace(b'"fps":16', b'"fps":7'),
    ],
)
def test_a_description_that_cannot_be_read_is_told(tmp_path: Path, written: bytes) -> None:
    (tmp_path / SPEC).write_bytes(written)
    with pytest.raises(PerformerError, match="cannot be read") as refused:
        open_performer(str(tmp_path))
    assert refused.value.problem is Problem.MODEL_DAMAGED


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="this system has no file that cannot be read")
def test_a_description_on_a_disk_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / SPEC).symlink_to("/proc/self/mem")
    with pytest.raises(PerformerError, match="cannot be read"):
        open_performer(str(tmp_path))


def test_the_mini_model_keeps_the_released_geometry() -> None:
    released = dataclasses.asdict(LIVETALK_1_3B)
    mini = dataclasses.asdict(MINI)
    sizes = {"name", "transformer", "audio", "text", "vae", "width", "height"}
    assert {name for name in released if released[name] != mini[name]} <= sizes
