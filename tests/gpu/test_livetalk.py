"""LiveTalk on a GPU: nobody waits in the steady step, captures change nothing, and memory is what was counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from core.media import SpeechBlock, Turn
from core.performer.device import CpuDevice, CudaDevice, describe
from core.performer.diffusion.attention import Clip
from core.performer.diffusion.transformer import Condition
from core.performer.livetalk.frames import decode
from core.performer.livetalk.memory import count, total
from core.performer.livetalk.model import random_model
from core.performer.livetalk.performer import LiveTalkPerformer
from core.performer.livetalk.spec import LIVETALK_1_3B, LOW, PRESETS, QUALITY, TINY, Preset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.media import Pixels
    from core.performer.livetalk.performer import LiveTalkPerformance

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
ENOUGH = 24e9


@pytest.fixture
def exact() -> Iterator[None]:
    """float32 means float32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def opened(device: CudaDevice, preset: Preset = QUALITY, seed: int = 0) -> LiveTalkPerformance:
    performer = LiveTalkPerformer(random_model(TINY, preset, device), device)
    picture = np.random.default_rng(0).integers(0, 256, (96, 80, 3), np.uint8)
    return performer.open(performer.prepare(picture), seed)


def block(performance: LiveTalkPerformance, seed: int) -> SpeechBlock:
    noise = np.random.default_rng(seed)
    samples = noise.standard_normal(performance.next_frames * TINY.samples_per_frame) * 0.1
    return SpeechBlock(Turn(1, "hi"), samples.astype(np.float32), np.zeros(TINY.lookahead, np.float32))


def acted(performance: LiveTalkPerformance, seed: int) -> Pixels:
    return performance.draw(performance.imagine(block(performance, seed))).wait()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_nothing_of_the_steady_step_waits_for_the_gpu(preset: Preset) -> None:
    device = CudaDevice()
    performance = opened(device, preset)
    for seed in range(TINY.window.slots + 4):
        acted(performance, seed)
    sounds = [block(performance, seed) for seed in range(3)]
    with device.watched():
        drawn = [performance.draw(performance.imagine(sound)) for sound in sounds]
    assert [len(frames.wait()) for frames in drawn] == [12, 12, 12]


@pytest.mark.parametrize("preset", [QUALITY, LOW], ids=lambda preset: preset.name)
def test_a_captured_stream_is_the_stream_itself(preset: Preset) -> None:
    captured, plain = opened(CudaDevice(), preset), opened(CudaDevice(captures=False), preset)
    for seed in range(TINY.window.slots + 6):
        one, other = acted(captured, seed).astype(int), acted(plain, seed).astype(int)
        assert np.abs(one - other).mean() < 1.0, seed


def test_compiled_blocks_make_nearly_the_same_film_and_can_be_captured() -> None:
    pytest.importorskip("triton", reason="there is no compiler here")
    device = CudaDevice()
    films: list[list[Pixels]] = []
    for compiled in (False, True):
        performer = LiveTalkPerformer(random_model(TINY, QUALITY, device, compiled=compiled), device)
        performance = performer.open(performer.prepare(np.zeros((96, 96, 3), np.uint8)), 0)
        films.append([acted(performance, seed) for seed in range(TINY.window.slots + 6)])
    assert np.abs(films[0][0].astype(int) - films[1][0].astype(int)).mean() < 12.0
    assert all(len(frames) == 12 for frames in films[1][1:])


def test_weights_that_are_drawn_on_the_gpu_run_as_well() -> None:
    device = CudaDevice()
    model = random_model(TINY, LOW, device, drawn=device.torch_device)
    performer = LiveTalkPerformer(model, device)
    assert len(acted(performer.open(performer.prepare(np.zeros((96, 96, 3), np.uint8)), 0), 0)) == 9


@pytest.mark.parametrize("blocks", [1, TINY.window.slots + 4])
def test_a_block_that_is_taken_back_was_never_imagined(blocks: int) -> None:
    performance = opened(CudaDevice())
    films: list[list[Pixels]] = []
    for forgets in (False, True):
        performance = performance if not films else opened(CudaDevice())
        film = [acted(performance, seed) for seed in range(blocks)]
        if forgets:
            performance.imagine(block(performance, 77))
            performance.rewind()
        films.append([*film, *(acted(performance, 100 + seed) for seed in range(2))])
    assert all(np.array_equal(one, other) for one, other in zip(*films, strict=True))


@pytest.mark.usefixtures("exact")
def test_both_devices_make_the_same_of_the_same_latents() -> None:
    gpu = CudaDevice()
    gpu.dtype = torch.float32
    here, there = random_model(TINY, QUALITY, CpuDevice()), random_model(TINY, QUALITY, gpu)
    latents = torch.randn(1, 4, 16, TINY.latent_height, TINY.latent_width)
    with torch.inference_mode():
        frames = [
            decode(model.frames.open(TINY.latent_height, TINY.latent_width), latents.to(place)).cpu()
            for model, place in ((here, "cpu"), (there, "cuda"))
        ]
    assert torch.allclose(*frames, atol=1e-3)


@pytest.mark.usefixtures("exact")
def test_both_devices_see_the_same_flow() -> None:
    gpu = CudaDevice()
    gpu.dtype = torch.float32
    flows: list[torch.Tensor] = []
    x = torch.randn(1, 3, TINY.transformer.in_channels, TINY.latent_height, TINY.latent_width)
    sound = torch.randn(1, 12, TINY.audio.features)
    for device in (CpuDevice(), gpu):
        place = device.torch_device
        model = random_model(TINY, QUALITY, device)
        rows = next(iter(model.prompts.values()))
        with torch.inference_mode():
            net = model.transformer
            rope = net.rope(TINY.latent_height, TINY.latent_width, place)
            condition = Condition(net.text_keys(rows), net.audio_terms(sound.to(place)))
            times = torch.full((1, 3), 624.0, device=place)
            flows.append(net(x.to(place), times, condition, Clip(rope.rotation(range(3)), net.sizes.heads)).cpu())
    assert torch.allclose(*flows, atol=1e-3)


@pytest.mark.parametrize("preset", [QUALITY, LOW], ids=lambda preset: preset.name)
def test_the_released_size_keeps_within_the_memory_that_was_counted(preset: Preset) -> None:
    gpu = describe()
    if gpu is None or gpu.memory < ENOUGH:
        pytest.skip("this GPU is too small to load the model beside what it takes to make it")
    device = CudaDevice()
    model = random_model(LIVETALK_1_3B, preset, device)
    device.release()
    performer = LiveTalkPerformer(model, device)
    performance = performer.open(performer.prepare(np.zeros((512, 512, 3), np.uint8)), 0)
    for _ in range(8):
        sound = np.zeros(performance.next_frames * LIVETALK_1_3B.samples_per_frame, np.float32)
        lookahead = np.zeros(LIVETALK_1_3B.lookahead, np.float32)
        performance.draw(performance.imagine(SpeechBlock(None, sound, lookahead))).wait()
    assert device.memory().peak < total(count(LIVETALK_1_3B, preset, device.dtype)) <= preset.memory_mb * 1e6
