"""The figures of the embedded avatar: that they measure what they say, and say what they could not measure."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from core.evaluation import held_out, roll_out
from core.evaluation.acting import Acted, Actor
from core.evaluation.people import CLIP_RATE, FPS, Clip, People, Sync, SyncProbe, loudness_db
from core.evaluation.phones import PIECE_S, PhoneFinder
from core.evaluation.recorded import Spoken, closing_look
from core.evaluation.recorded import look as recorded_look
from core.evaluation.report import Figure, Look, table
from core.evaluation.run import main
from core.evaluation.sheet import LABEL, MOMENTS, drawn, posed, rows_of
from core.evaluation.strip import Speaker, strip
from core.media import MEDIA_RATE
from core.performer.portrait.codec import CURVES, FACE_CURVES
from core.training.rig import lip_gap
from core.training.speech import flite
from tests.core.drawn_faces import Finds, drawn_face, face, identity_of, landmarks_of

if TYPE_CHECKING:
    from core.media import Samples

WEIGHTS = Path(__file__).parents[2] / "assets" / "models" / "portrait"
RECIPES = Path(held_out.__file__).parents[1] / "training" / "recipes"


@pytest.fixture(scope="module")
def actor() -> Actor:
    return Actor(WEIGHTS)


def babble(seconds: float, seed: int = 0) -> Samples:
    """Noise that swells and fades a few times a second, 16 kHz."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 0.1, int(seconds * CLIP_RATE)).astype(np.float32)
    swell = np.repeat(rng.uniform(0.02, 1.0, int(seconds * 8) + 1), CLIP_RATE // 8)[: len(samples)]
    return samples * swell.astype(np.float32)


def person(
    seconds: float, *, name: str = "a", turn: float = 3.0, language: str = "en", gap: np.ndarray | None = None
) -> Clip:
    """Somebody whose head swings by `turn` degrees every 4 s."""
    frames = int(seconds * FPS)
    swing = np.sqrt(2) * turn * np.sin(2 * np.pi * 0.25 * np.arange(frames) / FPS)
    angles = np.stack([swing, swing, swing], axis=1)
    opening = np.zeros(frames) if gap is None else gap
    return Clip(name, language, ("lips", "head"), "", babble(seconds), opening, angles, 0.45, 0.2, 0.0)


FIGURES = {
    "lip_gap_during_speech_face_heights": {"p50": 0.03, "p90": 0.07, "p99": 0.12},
    "lip_speed_abs_face_heights_per_s": {"p50": 0.13, "p90": 0.45, "p99": 0.9},
    "head_speaking(lips clips>=5s)": {"power_share_0-.5,.5-1,1-2,2-4,4-12.5Hz": [0.6, 0.25, 0.08, 0.05, 0.02]},
    "blink_rate_per_min_pooled": 20.0,
    "blink_duration_ms(EAR<82% of open)": {"p50": 240.0},
}


# The report


def test_a_figure_is_judged_by_its_aim_and_one_without_is_not() -> None:
    assert [Figure("x", v, least=1, most=2).verdict for v in (0.9, 1.0, 2.0, 2.1)] == ["short", "ok", "ok", "short"]
    assert Figure("x", float("nan"), least=0).verdict == "short"
    assert Figure("x", 5.0).verdict == ""


def test_the_table_has_aim_people_and_verdict_beside_every_figure_and_counts_them() -> None:
    looks = [
        Look("Lips", [Figure("jaw", 0.8, least=0.85, people=0.9), Figure("shut", 1.0, least=0.98, unit="of frames")]),
        Look("People", missing="no clips at nowhere"),
    ]
    text = table(looks)
    assert "jaw" in text
    row = next(line for line in text.splitlines() if "jaw" in line)
    assert row.split()[1:] == ["0.80", ">=", "0.85", "0.90", "short"]
    assert "not measured: no clips at nowhere" in text
    assert "1 of 2 figures meet their aim; 1 looks not measured" in text
    assert looks[0].plain()["jaw"] == {"value": 0.8, "least": 0.85, "people": 0.9, "verdict": "short"}


# People


def test_the_probe_finds_how_late_lips_are() -> None:
    weights = np.zeros((338, 3))
    weights[6 * 26 : 7 * 26, 0] = 1.0  # the frame itself, all bands: loudness
    probe = SyncProbe(weights, np.zeros(338), 6)
    sound = babble(12.0)
    loud = loudness_db(sound, 300)
    for late in (-4, 0, 5):
        sync = probe.score(sound, np.roll(loud, late))
        assert sync.lag_ms == pytest.approx(40 * late, abs=25)
        assert sync.r > 0.7
    assert probe.score(sound, np.random.default_rng(1).normal(size=300)).r < 0.3


def test_a_persons_weight_in_the_spread_does_not_grow_with_their_clip() -> None:
    people = People([person(10, turn=2), person(12, turn=3), person(120, turn=9)], {})
    assert roll_out.peoples_spread(people) == pytest.approx([3, 3, 3], rel=0.1)


def test_slow_movement_counts_as_slow_and_quick_as_quick() -> None:
    seconds = np.arange(1500) / FPS
    slow, quick = (np.repeat(np.sin(2 * np.pi * hz * seconds)[:, None], 3, 1) for hz in (0.3, 3.0))
    assert roll_out.slow_share(slow) > 0.95
    assert roll_out.slow_share(quick) < 0.05


def test_talk_is_speech_with_pauses_in_which_the_face_may_rest() -> None:
    people = People([person(4.0), person(5.0)], {})
    samples, resting = roll_out.talk(people, 30.0)
    assert len(samples) == 30 * MEDIA_RATE
    assert len(resting) == 30 * FPS
    frames = samples.reshape(len(resting), -1)
    assert np.abs(frames[resting]).max() == 0
    assert 0.1 < resting.mean() < 0.4


def test_lips_that_close_on_p_b_m_are_told_from_lips_that_do_not() -> None:
    frames = 250
    moments = [(1.0, 1.08), (3.0, 3.1), (6.0, 6.08)]
    closing, opened = np.full(frames, 0.05), np.full(frames, 0.05)
    for begin, end in moments[:2]:
        closing[int(begin * FPS) : int(end * FPS) + 1] = 0.0
    clip = person(10.0, gap=closing)

    def figures(gap: np.ndarray) -> dict[str, Figure]:
        curves = np.zeros((frames, len(CURVES)))
        spoken = Spoken(clip, Acted(curves, gap, FPS), Sync(0.5, 30.0), Sync(0.5, 20.0), moments)
        looks = recorded_look([spoken], People([clip], FIGURES)), closing_look([spoken])
        return {figure.name: figure for look in looks for figure in look.figures}

    assert figures(closing)["lips closed around P, B, M"].value == pytest.approx(2 / 3)
    assert figures(opened)["lips closed around P, B, M"].value == 0
    assert figures(opened)["lips closed around P, B, M"].people == pytest.approx(2 / 3)
    assert figures(opened)["lips later than people's, median"].value == pytest.approx(10.0)


def test_sounds_that_close_the_lips_are_found_in_speech() -> None:
    pytest.importorskip("pocketsphinx")
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed: make test-packages")
    said = flite("Bob might buy some apples.", "rms")
    sound = np.interp(np.arange(0, len(said.samples), 1.5), np.arange(len(said.samples)), said.samples)
    found = PhoneFinder().lips_meet(sound.astype(np.float32))
    true = [(phone.start_s + phone.end_s) / 2 for phone in said.phones if phone.viseme == "p"]
    near = [min(abs((begin + end) / 2 - moment) for begin, end in found) < 0.1 for moment in true]
    assert np.mean(near) >= 0.7, (found, true)
    assert all(end - begin < PIECE_S for begin, end in found)


# The avatar


def test_an_actor_shows_a_frame_for_every_frame_of_sound_and_the_mesh_says_how_far_the_lips_are(actor: Actor) -> None:
    sound = np.repeat(babble(2.0), 3)[::2][: 2 * MEDIA_RATE]
    told: list[float] = []
    acted = actor.act(sound, seed=1, done=told.append)
    assert len(acted.gap) == len(acted.curves) == 50
    assert sum(told) == pytest.approx(2.0)
    assert acted.gap == pytest.approx(actor.opening(acted.curves), abs=1e-5)


def test_blinks_are_counted_and_timed() -> None:
    curves = np.zeros((200, len(CURVES)))
    lids = [CURVES.index("lid_right"), CURVES.index("lid_left")]
    curves[20:26, lids], curves[100:104, lids], curves[150:160, lids] = 1.0, 0.9, 0.1
    assert Acted(curves, np.zeros(200), 25).blinks().tolist() == [240.0, 160.0]


def test_a_roll_out_that_freezes_or_drifts_is_short_of_its_aim(actor: Actor) -> None:
    people = People([person(20.0), person(25.0)], FIGURES)
    frames = 60 * FPS
    rng = np.random.default_rng(2)
    curves = np.zeros((frames, len(CURVES)))
    curves[:, [CURVES.index("yaw"), CURVES.index("pitch")]] = np.cumsum(rng.normal(0, 0.002, (frames, 2)), 0)

    def judged(changed: np.ndarray) -> dict[str, str]:
        acted = Acted(changed, actor.opening(changed), FPS)
        acted.curves[30:36, CURVES.index("lid_right")] = 1.0
        return {figure.name: figure.verdict for figure in roll_out.look(actor, "x", [acted], people).figures}

    frozen, drifting = curves.copy(), curves.copy()
    frozen[500:560] = frozen[500]
    drifting[:, FACE_CURVES.index("jaw")] = np.linspace(0, 0.5, frames)
    assert judged(curves)["longest time that nothing moves"] == "ok"
    assert judged(frozen)["longest time that nothing moves"] == "short"
    assert judged(curves)["rest face drifts, first to last pauses"] == "ok"
    assert judged(drifting)["rest face drifts, first to last pauses"] == "short"
    assert judged(drifting)["mouth shut in the pauses"] == "short"


def test_no_training_recipe_has_heard_the_held_out_voices() -> None:
    recipes = sorted(RECIPES.glob("*.toml"))
    assert recipes
    for path in recipes:
        heard = tomllib.loads(path.read_text()).get("data", {})
        assert not set(heard.get("languages", ())) & set(held_out.VOICES.languages), path
        assert not set(heard.get("variants", ())) & set(held_out.VOICES.variants), path
        assert not set(heard.get("flite", ())) & set(held_out.VOICES.flite), path
        assert heard.get("seed") != held_out.VOICES.seed


def test_short_closures_within_speech_are_those_of_p_b_m() -> None:
    gap = np.full(60, 0.05)
    gap[10:13], gap[30:45], gap[55:57] = 0.0, 0.0, 0.0
    speaking = np.ones(60, bool)
    speaking[50:] = False
    assert held_out.closures(gap, speaking) == [(10, 13)]


# The sheet


def test_every_moment_poses_known_curves_and_the_closed_one_is_closed(actor: Actor) -> None:
    basis = actor.model.codec.basis
    gaps = lip_gap(basis.numpy())
    for name, moment in MOMENTS.items():
        curves = posed(moment, torch.zeros(len(CURVES)), basis)
        gap = float(curves[0, : len(FACE_CURVES)].numpy() @ gaps)
        assert curves.shape == (1, len(CURVES))
        assert gap < 0 if name == "p b m" else gap > 0.03 if name in ("a", "o", "wide open") else gap > -0.001, name


def test_a_sheet_shows_every_portrait_and_says_which_were_refused(tmp_path: Path, actor: Actor) -> None:
    landmarks = landmarks_of()
    Image.fromarray(drawn_face(landmarks)).save(tmp_path / "well.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    paths = [tmp_path / "well.png", tmp_path / "broken.png"]
    rows = rows_of(paths, Finds(face(landmarks)), actor.model.codec.basis, lambda count: None)
    assert [len(row.pictures) for row in rows] == [len(MOMENTS), 1]
    assert rows[1].refusal == "This file can't be read as a picture."
    assert drawn(rows, 64).size == (64 * len(MOMENTS), 2 * (64 + LABEL))


# The command


def test_what_cannot_be_measured_is_said_by_name_and_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = str(tmp_path / "nowhere")
    given = ["--people", nowhere, "--faces", nowhere, "--out", str(tmp_path / "out")]
    monkeypatch.setattr("core.evaluation.run.find_spec", lambda name: None)
    assert main(["portrait", *given, "--only", "voices", "people", "long", "picture", "--style"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    document = json.loads(lines[-1])
    assert f"no measured people at {nowhere}; say where with --people" in "\n".join(lines[:-1])
    assert "espeakng-loader is not installed" in "\n".join(lines[:-1])
    assert all("missing" in look for look in document["looks"].values())
    assert len(document["looks"]) == 6
    assert document["weights"] == json.loads((WEIGHTS / "spec.json").read_text())["sha256"]
    assert {"torch", "numpy", "python"} <= document["versions"].keys()
    assert document["seeds"]["voices"] == held_out.VOICES.seed


def test_damaged_weights_end_the_command_with_the_words_that_repair_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("model.safetensors", "spec.json"):
        shutil.copy(WEIGHTS / file, tmp_path / file)
    with (tmp_path / "model.safetensors").open("r+b") as stored:
        stored.seek(-1, 2)
        stored.write(b"\x7f")
    assert main(["portrait", "--weights", str(tmp_path), "--only", "silence"]) == 1
    assert "git checkout assets/models/portrait" in capsys.readouterr().out


def test_a_strip_shows_every_speaker_with_lips_that_close_and_open(actor: Actor) -> None:
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed: make test-packages")
    identity = identity_of(landmarks_of())
    image = np.asarray(strip(actor, [Speaker(identity, "rms"), Speaker(identity, "slt")], 400))
    assert image.shape == (200, 400, 3)
    closed, opened = (image[:100, start : start + 100].astype(int) for start in (0, 100))
    assert np.count_nonzero(opened.max(-1) < 90) > np.count_nonzero(closed.max(-1) < 90) + 5, "the inside of the mouth"
