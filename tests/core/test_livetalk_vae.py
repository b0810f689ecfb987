"""The decoders: diffusers' numbers, equal however the latents are grouped, and bounded in what they keep."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from torch.utils.flop_counter import FlopCounterMode

from core.performer.livetalk.frames import FrameDecoder, decode, restart, to_pixels
from core.performer.livetalk.small_decoder import PastBlock, SmallDecoder, SmallSizes, own_name
from core.performer.livetalk.spec import VaeSizes
from core.performer.livetalk.vae import LATENT_MEAN, LATENT_STD, WanVae

if TYPE_CHECKING:
    from collections.abc import Callable

LATENTS = 7
GROUPS = [(7,), (1, 3, 3), (3, 3, 1), (1, 6), (2, 5), (1, 1, 1, 1, 1, 1, 1)]
RELEASED_FINGERPRINT = "ccc42284ea13e1ad04693284c7a09be6"


@pytest.fixture(scope="module")
def vae() -> WanVae:
    torch.manual_seed(1)
    return WanVae(VaeSizes(dim=4)).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def small() -> SmallDecoder:
    torch.manual_seed(2)
    return SmallDecoder(SmallSizes(widths=(16, 8, 4, 4))).requires_grad_(False).eval()


def decoded(decoder: FrameDecoder, latents: torch.Tensor, groups: tuple[int, ...]) -> torch.Tensor:
    stream = decoder.open(*latents.shape[-2:])
    return torch.cat([decode(stream, piece) for piece in latents.split(groups, dim=1)], 2)


def latents(count: int = LATENTS) -> torch.Tensor:
    return torch.randn(1, count, 16, 2, 3, generator=torch.Generator().manual_seed(3))


def test_the_released_files_names_and_shapes_are_ours() -> None:
    with torch.device("meta"):
        stored = WanVae().state_dict()
    lines = [line for name, t in stored.items() for line in (name, f"{name}:{'_'.join(map(str, t.shape))}")]
    assert len(stored) == 194
    assert hashlib.md5(",".join(sorted(lines)).encode()).hexdigest() == RELEASED_FINGERPRINT


@pytest.mark.parametrize("kind", ["wan", "small"])
@pytest.mark.parametrize("groups", GROUPS[1:])
def test_streaming_equals_offline(kind: str, groups: tuple[int, ...], request: pytest.FixtureRequest) -> None:
    decoder: FrameDecoder = request.getfixturevalue("vae" if kind == "wan" else "small")
    offline = decoded(decoder, latents(), (LATENTS,))
    assert offline.shape == (1, 3, 4 * LATENTS - 3, 16, 24)
    assert torch.allclose(decoded(decoder, latents(), groups), offline, atol=2e-5)


@pytest.mark.parametrize("kind", ["vae", "small"])
def test_later_latents_change_nothing_before_them(kind: str, request: pytest.FixtureRequest) -> None:
    decoder: FrameDecoder = request.getfixturevalue(kind)
    whole = decoded(decoder, latents(), (LATENTS,))
    for known in range(1, LATENTS):
        other = torch.cat((latents()[:, :known], torch.zeros(1, LATENTS - known, 16, 2, 3)), 1)
        frames = 4 * known - 3
        changed = decoded(decoder, other, (LATENTS,))
        assert torch.allclose(changed[:, :, :frames], whole[:, :, :frames], atol=1e-6)
        assert not torch.allclose(changed[:, :, frames:], whole[:, :, frames:], atol=1e-6)


@pytest.mark.parametrize("kind", ["vae", "small"])
def test_a_stream_keeps_the_same_tensors_for_ever_and_shares_none(kind: str, request: pytest.FixtureRequest) -> None:
    decoder: FrameDecoder = request.getfixturevalue(kind)
    one, other = decoder.open(2, 3), decoder.open(2, 3)
    places = [t.data_ptr() for t in one.tensors()]
    for _ in range(4):
        decode(one, latents(2))
    assert [t.data_ptr() for t in one.tensors()] == places
    assert all(t.abs().sum() == 0 for t in other.tensors())


def test_a_clip_that_is_not_one_and_fours_is_refused(vae: WanVae) -> None:
    with pytest.raises(ValueError, match="this one has 8"):
        vae.encode_video(torch.zeros(1, 3, 8, 16, 16))


def test_a_picture_alone_is_encoded_as_the_first_frame_of_a_clip(vae: WanVae) -> None:
    clip = torch.randn(1, 3, 5, 16, 24, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(vae.encode(clip[:, :, 0]), vae.encode_video(clip)[:, 0], atol=1e-6)


# -- an independent reference: diffusers


@pytest.fixture(scope="module")
def reference(vae: WanVae) -> AutoencoderKLWan:
    model = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, temperal_downsample=[False, True, True]
    )
    model.load_state_dict({_diffusers_name(name): tensor for name, tensor in vae.state_dict().items()})
    return model.requires_grad_(False).eval()


def test_diffusers_encodes_the_same(vae: WanVae, reference: AutoencoderKLWan) -> None:
    clip = torch.randn(1, 3, 9, 16, 24, generator=torch.Generator().manual_seed(5))
    moments = reference.encode(clip).latent_dist.mean.transpose(1, 2)
    mean, std = (torch.tensor(values)[:, None, None] for values in (LATENT_MEAN, LATENT_STD))
    assert torch.allclose(vae.encode_video(clip), (moments - mean) / std, atol=1e-5)


def test_diffusers_decodes_the_same(vae: WanVae, reference: AutoencoderKLWan) -> None:
    mean, std = (torch.tensor(values)[:, None, None] for values in (LATENT_MEAN, LATENT_STD))
    own = (latents() * std + mean).transpose(1, 2)
    frames = decoded(vae, latents(), (1, 3, 3)).clamp(-1, 1)
    assert torch.allclose(frames, reference.decode(own).sample, atol=2e-5)


def test_diffusers_multiplies_as_often_for_the_same_frames(vae: WanVae, reference: AutoencoderKLWan) -> None:
    def work(call: Callable[[], object]) -> int:
        with FlopCounterMode(display=False) as counter:
            call()
        return counter.get_total_flops()

    stream = vae.open(2, 3)
    stream.first(latents(1))
    own = work(lambda: stream.later(latents(3)))
    theirs = [work(lambda count=count: reference.decode(latents(count).transpose(1, 2))) for count in (1, 4)]
    assert own == theirs[1] - theirs[0]


def test_the_latents_statistics_are_diffusers_own(reference: AutoencoderKLWan) -> None:
    assert list(LATENT_MEAN) == reference.config.latents_mean
    assert list(LATENT_STD) == reference.config.latents_std


def _diffusers_name(name: str) -> str:
    """The checkpoint's name of a tensor as diffusers calls it."""
    half, _, rest = name.partition(".")
    if half in ("conv1", "conv2"):
        return f"{'quant_conv' if half == 'conv1' else 'post_quant_conv'}.{rest}"
    parts = {"residual.0": "norm1", "residual.2": "conv1", "residual.3": "norm2", "residual.6": "conv2"}
    for ours, theirs in parts.items():
        rest = rest.replace(ours, theirs)
    rest = rest.replace("shortcut", "conv_shortcut").replace("head.0", "norm_out").replace("head.2", "conv_out")
    if rest.startswith("conv1."):
        rest = "conv_in." + rest.removeprefix("conv1.")
    for ours, theirs in {"middle.0": "mid_block.resnets.0", "middle.1": "mid_block.attentions.0"}.items():
        rest = rest.replace(ours, theirs)
    rest = rest.replace("middle.2", "mid_block.resnets.1")
    if rest.startswith("downsamples."):
        rest = "down_blocks." + rest.removeprefix("downsamples.")
    if rest.startswith("upsamples."):
        index, _, tail = rest.removeprefix("upsamples.").partition(".")
        level, place = divmod(int(index), 4)
        rest = f"up_blocks.{level}." + (f"resnets.{place}.{tail}" if place < 3 else f"upsamplers.0.{tail}")
    return f"{half}.{rest}"


# -- the small decoder


def test_the_small_decoder_is_a_plain_stack_in_which_some_blocks_see_one_frame_back(small: SmallDecoder) -> None:
    """The whole clip at once, the frame before by shifting: no stream, no state."""
    x = latents()[0]
    for step in small.decoder:
        if isinstance(step, PastBlock):
            before = F.pad(x, (0, 0, 0, 0, 0, 0, 1, 0))[:-1]
            x = F.relu(step.conv(torch.cat((x, before), 1)) + x)
        elif hasattr(step, "conv"):
            wide = step.conv(x)
            x = wide.reshape(-1, x.shape[1], *x.shape[2:])
        else:
            x = step(x)
    assert torch.allclose(decoded(small, latents(), (1, 2, 4))[0].transpose(0, 1), 2 * x[3:] - 1, atol=1e-5)


def test_the_published_small_decoder_has_its_layers_where_ours_are() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in SmallDecoder().state_dict().items()}
    assert len(shapes) == 64
    assert shapes["decoder.1.weight"] == (256, 16, 3, 3)
    assert shapes["decoder.3.conv.0.weight"] == (256, 512, 3, 3)
    assert shapes["decoder.7.conv.weight"] == (256, 256, 1, 1)
    assert shapes["decoder.13.conv.weight"] == (256, 128, 1, 1)
    assert shapes["decoder.22.weight"] == (3, 64, 3, 3)


def test_of_the_published_small_decoder_only_the_decoder_is_taken() -> None:
    assert own_name("decoder.1.weight") == "decoder.1.weight"
    assert own_name("encoder.0.weight") is None


def test_a_stream_that_begins_anew_is_a_new_one(vae: WanVae, small: SmallDecoder) -> None:
    for decoder in (vae, small):
        stream = decoder.open(2, 3)
        before = decode(stream, latents())
        restart(stream)
        assert torch.equal(decode(stream, latents()), before)


def test_pixels_are_rounded_and_what_lies_beyond_is_cut() -> None:
    levels = torch.tensor([-1.2, -1.0, 0.0, 0.5, 1.0, 1.3])
    frames = levels.view(1, 1, 6, 1, 1).expand(1, 3, 6, 2, 2)
    pixels = to_pixels(frames)
    assert pixels.shape == (6, 2, 2, 3)
    assert pixels[:, 0, 0, 0].tolist() == [0, 0, 128, 191, 255, 255]
