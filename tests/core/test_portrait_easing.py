"""Where frames were painted and never shown, the portrait moves on from the pose that was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from core.media import SpeechBlock
from core.performer.portrait.codec import CARRIAGE_CURVES, CURVES, LIP_CURVES
from core.performer.portrait.easing import LEAST_FRAMES, LID_FRAMES, LIP_FRAMES, MOST_FRAMES, Easing
from core.performer.portrait.identity import read_picture
from core.performer.portrait.motion import MotionStream, open_speech
from core.performer.portrait.performer import PortraitPerformer
from core.performer.portrait.weights import load_weights
from core.settings import assets_folder, models_folder

if TYPE_CHECKING:
    from torch import Tensor

FACES = models_folder() / "face"
WEIGHTS = assets_folder() / "models" / "portrait"
BLOCK = 12
LIPS = [CURVES.index(name) for name in LIP_CURVES]
LIDS = [CURVES.index("lid_right"), CURVES.index("lid_left")]
ANGLES = [CURVES.index(name) for name in ("yaw", "pitch", "roll_angle")]
HEAD = [CURVES.index(name) for name in CARRIAGE_CURVES[:6]]
OTHERS = [index for index in range(len(CURVES)) if index not in HEAD]


def speech(blocks: int, frame: int) -> np.ndarray:
    """Syllables, and silence between: [samples]."""
    times = np.arange(blocks * BLOCK * frame) / 24_000
    loud = np.clip(np.sin(2 * np.pi * 3 * times), 0, None) * (np.sin(2 * np.pi * 0.3 * times) > 0)
    return (sum(np.sin(2 * np.pi * 120 * k * times) / k for k in range(1, 30)) * loud * 0.2).astype(np.float32)


@pytest.fixture(scope="module")
def motion() -> Tensor:
    """Half a minute of what the shipped model does, [frames, CURVES]."""
    if not FACES.exists():
        pytest.skip("the models are not here (make models)")
    model, spec = load_weights(WEIGHTS)
    stream = MotionStream(model, spec, open_speech(spec), torch.zeros(len(CURVES)), "", seed=3)
    size, ahead = BLOCK * spec.hearing.frame, np.zeros(spec.hearing.ahead, np.float32)
    sound = speech(60, spec.hearing.frame)
    blocks = [SpeechBlock(None, sound[at : at + size], ahead) for at in range(0, len(sound), size)]
    return torch.cat([stream.curves(stream.imagine(block)) for block in blocks]).clone()


def show(easing: Easing, motion: Tensor, start: int, stop: int) -> Tensor:
    """Pieces of four of frames [start, stop), as the painter asks for them."""
    whole = torch.cat((torch.zeros(2, len(CURVES)), motion))
    parts = [
        easing.shown(whole[at : at + 2], whole[at + 2 : at + 2 + min(4, stop - at)]) for at in range(start, stop, 4)
    ]
    return torch.cat(parts)


def after(motion: Tensor, unshown: int, at: int) -> Tensor:
    """The last two frames that were shown, and those from `at` on where `unshown` before it were not."""
    easing = Easing()
    before = show(easing, motion, at - 36, at)
    assert easing.rejoin(unshown)
    return torch.cat((before[: 36 - unshown][-2:], show(easing, motion, at, at + 24)))


SEAMS = [(unshown, at) for unshown in (1, 4, 9, 20, 33) for at in range(48, 690, 36)]


def test_what_is_shown_whole_is_shown_as_the_model_made_it(motion: Tensor) -> None:
    easing = Easing()
    first = show(easing, motion, 0, 36)
    assert easing.rejoin(0)
    assert torch.equal(torch.cat((first, show(easing, motion, 36, 72))), motion[:72])


def test_the_first_frame_stands_where_the_last_one_that_was_seen_stood(motion: Tensor) -> None:
    usual = motion[:, ANGLES].diff(dim=0).norm(dim=1)
    for unshown, at in SEAMS:
        seen = after(motion, unshown, at)
        step = seen[1:3].diff(dim=0)[0]
        jump = motion[at] - motion[at - 1 - unshown]
        assert step[ANGLES].norm() < usual.max() + np.radians(0.5)
        held = step[LIDS].abs() <= 0.16 * jump[LIDS].abs() + 1e-6
        assert held.all()
        assert (step[LIPS].abs() <= 0.26 * jump[LIPS].abs() + 1e-6).all()


def test_a_head_is_never_much_faster_than_heads_are(motion: Tensor) -> None:
    usual = torch.rad2deg(motion[:, ANGLES].diff(dim=0).norm(dim=1))
    eased = torch.cat([torch.rad2deg(after(motion, *seam)[1:, ANGLES].diff(dim=0).norm(dim=1)) for seam in SEAMS])
    jumps = torch.tensor([float(torch.rad2deg((motion[at] - motion[at - 1 - k])[ANGLES].norm())) for k, at in SEAMS])
    assert jumps.max() > 5.0, "there was something to ease"
    assert eased.max() < usual.max() + 1.0
    assert eased.quantile(0.99) < usual.quantile(0.99) + 0.4


def test_a_moving_head_moves_on(motion: Tensor) -> None:
    """It neither stands still for a frame nor leaps: its speed changes little more than elsewhere."""
    usual = motion[:, ANGLES].diff(n=2, dim=0).norm(dim=1)
    seams = [after(motion, *seam)[:4, ANGLES].diff(n=2, dim=0).norm(dim=1) for seam in SEAMS]
    assert torch.cat(seams).quantile(0.9) < 2 * usual.quantile(0.9)


def test_lips_then_lids_then_all_are_the_models_own_bit_for_bit(motion: Tensor) -> None:
    far = 0
    for unshown, at in SEAMS:
        seen, own = after(motion, unshown, at)[2:], motion[at : at + 24]
        assert torch.equal(seen[LIP_FRAMES - 1 :, LIPS], own[LIP_FRAMES - 1 :, LIPS])
        assert torch.equal(seen[LID_FRAMES - 1 :, LIDS], own[LID_FRAMES - 1 :, LIDS])
        assert torch.equal(seen[MOST_FRAMES - 1 :], own[MOST_FRAMES - 1 :])
        off = torch.rad2deg((motion[at - 1 - unshown] - motion[at - 1])[ANGLES].norm())
        if off < 5.0:
            assert torch.equal(seen[LEAST_FRAMES - 1 :], own[LEAST_FRAMES - 1 :])
        else:
            far += 1
    assert far


def test_lips_and_lids_lie_between_what_was_seen_and_what_the_model_has(motion: Tensor) -> None:
    """So lips that the model closes, and that were closed, are closed; and no eye is stuck."""
    for seam in SEAMS:
        seen, own = after(motion, *seam), motion[seam[1] : seam[1] + 24]
        low, high = torch.minimum(seen[1], own)[:, OTHERS], torch.maximum(seen[1], own)[:, OTHERS]
        assert (seen[2:, OTHERS] >= low - 1e-6).all()
        assert (seen[2:, OTHERS] <= high + 1e-6).all()


def test_the_rest_of_a_block_that_was_never_painted_leaves_no_jump(motion: Tensor) -> None:
    easing, whole = Easing(), Easing()
    show(easing, motion, 0, 40)
    show(whole, motion, 0, 48)
    assert easing.rejoin(0)
    assert whole.rejoin(8)
    assert torch.equal(show(easing, motion, 48, 72), show(whole, motion, 48, 72))


def test_frames_dropped_while_it_still_eases_are_eased_from_what_was_really_seen(motion: Tensor) -> None:
    easing = Easing()
    show(easing, motion, 0, 48)
    easing.rejoin(20)
    seen = show(easing, motion, 48, 56)
    assert easing.rejoin(5), "three of eight were seen"
    then = show(easing, motion, 56, 60)
    assert not torch.equal(seen[2], motion[50])
    assert (then[0] - seen[2])[ANGLES].norm() < (seen[2] - seen[1])[ANGLES].norm() + np.radians(0.6)
    easing.rejoin(4 + 5)
    again = show(easing, motion, 60, 84)
    assert (again[0] - seen[2])[ANGLES].norm() < (seen[2] - seen[1])[ANGLES].norm() + np.radians(0.6)
    assert torch.equal(again[MOST_FRAMES - 1 :], motion[60 + MOST_FRAMES - 1 : 84])


def test_without_a_frame_that_was_seen_it_says_so_and_eases_nothing(motion: Tensor) -> None:
    easing = Easing()
    assert not easing.rejoin(0)
    show(easing, motion, 0, 12)
    assert not easing.rejoin(12)
    assert torch.equal(show(easing, motion, 40, 52), motion[40:52])


def test_a_portrait_goes_on_from_the_picture_that_was_shown_last() -> None:
    if not FACES.exists():
        pytest.skip("the models are not here (make models)")
    performer = PortraitPerformer(WEIGHTS, FACES)
    identity = performer.prepare(read_picture(assets_folder() / "portraits" / "amara.jpg"))
    spec = performer.spec
    sound = np.split(speech(5, spec.samples_per_frame), 5)
    told, untold = performer.open(identity, 2), performer.open(identity, 2)
    frames: list[list[np.ndarray]] = [[], []]
    for number, samples in enumerate(sound):
        for performance, shown in zip((told, untold), frames, strict=True):
            drawn = performance.draw(
                performance.imagine(SpeechBlock(None, samples, np.zeros(spec.lookahead, np.float32)))
            )
            if number == 3:
                assert performance.rejoin(20 if performance is told else 0)
            shown.append(drawn.wait())
    eased, own = (np.concatenate(shown).astype(np.int16) for shown in frames)
    assert np.array_equal(eased[:36], own[:36])
    last = own[15]
    assert np.abs(eased[36] - last).mean() < 0.4 * np.abs(own[36] - last).mean()
    assert np.array_equal(eased[36 + MOST_FRAMES - 1 :], own[36 + MOST_FRAMES - 1 :])
