"""Curation: what is refused and why, what a prompt becomes, and clips made from what was kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import msgspec
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.spec import TINY
from core.performer.portrait.identity import read_picture
from core.performer.portrait.landmarks import FaceFinder
from core.settings import assets_folder, models_folder
from core.training import curate, make_clips
from core.training.clips import ClipFolder
from core.training.conditions import ConditionRecipe, picture_faults, refined, sound_faults
from core.training.crew import Crew
from core.training.manifest import Condition, read_manifest, refusals, write_manifest
from tests.livetalk_weights import MINI, write_weights

if TYPE_CHECKING:
    from core.media import Pixels

RECIPE = ConditionRecipe.load(ConditionRecipe.DEFAULT)
PORTRAITS = assets_folder() / "portraits"
FACES = models_folder() / "face"
needs_models = pytest.mark.skipif(not FACES.is_dir(), reason="the face models are not here: run `make models`")


def tone(path: Path, seconds: float, level: float = 0.2) -> Path:
    at = np.arange(int(16_000 * seconds)) / 16_000
    soundfile.write(path, (level * np.sin(2 * np.pi * 220 * at)).astype(np.float32), 16_000)
    return path


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    cv2.setNumThreads(1)
    return FaceFinder(FACES)


@pytest.fixture(scope="module")
def good() -> Pixels:
    return read_picture(PORTRAITS / "erik.jpg")


class TestPrompts:
    @pytest.mark.parametrize(
        ("given", "begins"),
        [
            ("A photo of a woman in a red coat", "A woman in a red coat."),
            ("a high-quality studio portrait of an old man, motionless", "An old man."),
            ("A girl by a window, static camera, soft light.", "A girl by a window, soft light."),
            ("The man stands still in a garden", "In a garden."),
            ("A teacher. The camera is completely still.", "A teacher."),
            ("close-up picture showing a chef", "A chef."),
        ],
    )
    def test_the_description_stays_and_what_stands_still_goes(self, given: str, begins: str) -> None:
        assert refined(given, RECIPE.prompt).startswith(begins)

    def test_what_moves_is_added(self) -> None:
        assert refined("A woman in a red coat", RECIPE.prompt) == (
            "A woman in a red coat. The person talks to the camera and the lips follow the speech. The face is alive "
            "with natural expressions, the eyes blink. The head moves with the words, and the hands make small "
            "gestures."
        )

    def test_what_is_said_already_is_not_said_twice(self) -> None:
        given = "A woman explains something, smiling, with lively gestures."
        assert refined(given, RECIPE.prompt) == given

    def test_a_prompt_about_nothing_is_one_about_motion(self) -> None:
        assert refined("  static camera. ", RECIPE.prompt).startswith("The person talks")

    def test_refining_twice_changes_nothing(self) -> None:
        once = refined("a still image of a boy, frozen, no movement", RECIPE.prompt)
        assert refined(once, RECIPE.prompt) == once


@needs_models
class TestPictures:
    def test_shipped_portraits_are_kept(self, finder: FaceFinder) -> None:
        shipped = sorted(PORTRAITS.glob("*.jpg"))
        assert shipped
        found = {path.name: picture_faults(read_picture(path), finder, RECIPE.picture) for path in shipped}
        assert not any(found.values()), found

    @pytest.mark.parametrize(("light", "why"), [(0.25, "too dark"), (1.8, "too bright")])
    def test_light_that_is_wrong_is_told(self, light: float, why: str, finder: FaceFinder, good: Pixels) -> None:
        changed = np.clip(good * light, 0, 255).astype(np.uint8)
        assert any(why in fault for fault in picture_faults(changed, finder, RECIPE.picture))

    def test_a_blurred_face_is_told(self, finder: FaceFinder, good: Pixels) -> None:
        soft = np.asarray(cv2.GaussianBlur(good, (0, 0), 4.0), np.uint8)
        assert any("blurred" in fault for fault in picture_faults(soft, finder, RECIPE.picture))

    def test_a_small_face_and_a_missing_one_are_told(self, finder: FaceFinder, good: Pixels) -> None:
        wide = np.full((1024, 1024, 3), 128, np.uint8)
        wide[300:700, 300:700] = cv2.resize(good, (400, 400), interpolation=cv2.INTER_AREA)
        assert any("px high" in fault for fault in picture_faults(wide, finder, RECIPE.picture))
        assert picture_faults(np.full((512, 512, 3), 128, np.uint8), finder, RECIPE.picture) == ["no face was found."]

    def test_a_folder_becomes_a_manifest_a_list_of_reasons_and_a_sheet(
        self, tmp_path: Path, good: Pixels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, out = tmp_path / "given", tmp_path / "made" / "manifest.jsonl"
        folder.mkdir()
        for name in ("kept", "mute", "silent"):
            Image.fromarray(good).save(folder / f"{name}.png")
        Image.fromarray((good * 0.2).astype(np.uint8)).save(folder / "dark.png")
        (folder / "broken.png").write_bytes(b"no picture")
        for name, level in (("kept", 0.2), ("dark", 0.2), ("broken", 0.2), ("silent", 0.0)):
            tone(folder / f"{name}.wav", 3.0, level)
        (folder / "kept.txt").write_text("A photo of a man in a grey shirt, static background")
        curate.main([str(folder), "--out", str(out)])
        assert "1 of 5" in capsys.readouterr().out
        (kept,) = read_manifest(out)
        assert Path(kept.picture).samefile(folder / "kept.png")
        assert kept.prompt.startswith("A man in a grey shirt. The person talks")
        told = {line["name"]: line["reasons"] for line in map(json.loads, refusals(out).read_text().splitlines())}
        assert told.keys() == {"mute", "silent", "dark", "broken"}
        assert told["mute"] == ["there is no sound called mute."]
        assert "silent" in told["silent"][0]
        assert "too dark" in told["dark"][0]
        assert "can't be read" in told["broken"][0]
        sheet = np.asarray(Image.open(out.with_suffix(".png")))
        assert sheet.shape == (curate.SIDE + curate.WORDS, curate.COLUMNS * curate.SIDE, 3)
        assert sheet.std() > 20


def test_short_and_damaged_sounds_are_told(tmp_path: Path) -> None:
    assert sound_faults(tone(tmp_path / "good.wav", 2.5), RECIPE.sound) == []
    assert sound_faults(tone(tmp_path / "short.wav", 0.5), RECIPE.sound) == ["the sound lasts 0.5 s; it needs 2.0."]
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    assert len(sound_faults(tmp_path / "broken.wav", RECIPE.sound)) == 1


def test_a_manifest_with_another_field_or_a_name_twice_is_refused(tmp_path: Path) -> None:
    one = Condition("a", "a.png", "a.wav", "A man.")
    write_manifest(tmp_path / "m.jsonl", [one, one], [])
    with pytest.raises(ValueError, match="a name twice"):
        read_manifest(tmp_path / "m.jsonl")
    (tmp_path / "m.jsonl").write_text('{"name": "a", "image": "a.png"}\n')
    with pytest.raises(msgspec.ValidationError, match="image"):
        read_manifest(tmp_path / "m.jsonl")


class TestClips:
    @pytest.fixture
    def manifest(self, tmp_path: Path) -> Path:
        drawn = np.random.default_rng(0)
        entries: list[Condition] = []
        for name in ("anna", "ben"):
            Image.fromarray(drawn.integers(0, 255, (90, 80, 3), np.uint8)).save(tmp_path / f"{name}.png")
            tone(tmp_path / f"{name}.wav", 0.4)
            entries.append(Condition(name, f"{name}.png", f"{name}.wav", f"{name} talks."))
        write_manifest(tmp_path / "m.jsonl", entries, [])
        return tmp_path / "m.jsonl"

    def test_tiny_networks_make_clips_that_can_be_learned_from(self, manifest: Path, tmp_path: Path) -> None:
        made = tmp_path / "clips"
        make_clips.main([str(manifest), "--tiny", "--clips", str(made), "--frames", "3"])
        clip = ClipFolder(made, 0, Crew()).load(made / "anna.safetensors")
        assert clip.scene.reference.shape == (1, 16, 8, 8)
        assert clip.scene.features.shape == (1, 12, TINY.transformer.audio_dim)
        assert clip.scene.text.shape == clip.scene.no_text.shape == (1, TINY.text.rows, TINY.text.dim)
        assert not torch.equal(clip.scene.text, clip.scene.no_text)
        assert clip.states is not None
        assert clip.states.shape == (1, 5, 3, 16, 8, 8)
        assert torch.equal(clip.states[:, :, 0], clip.scene.reference[:, None].expand(-1, 5, -1, -1, -1))
        assert clip.sound is not None
        assert clip.sound.shape == (1, 9000), "1000 samples a video frame; a sound that is too short begins again"
        assert torch.allclose(clip.sound[:, :1000], clip.sound[:, 6400:7400], atol=1e-3)

    def test_what_is_there_is_left_alone_and_what_lacks_its_trajectory_is_made_anew(
        self, manifest: Path, tmp_path: Path
    ) -> None:
        made = tmp_path / "clips"
        arguments = [str(manifest), "--tiny", "--clips", str(made), "--frames", "3"]
        make_clips.main(arguments)
        first = (made / "anna.safetensors").read_bytes()
        without = {name: value for name, value in load_file(made / "anna.safetensors").items() if name != "states"}
        save_file(without, made / "anna.safetensors")
        marked = load_file(made / "ben.safetensors") | {"mark": torch.zeros(1)}
        save_file(marked, made / "ben.safetensors")
        make_clips.main(arguments)
        assert (made / "anna.safetensors").read_bytes() == first
        assert "mark" in load_file(made / "ben.safetensors")

    def test_files_of_weights_make_them_with_and_without_a_teacher(self, manifest: Path, tmp_path: Path) -> None:
        weights, made = write_weights(tmp_path / "weights"), tmp_path / "clips"
        torch.manual_seed(1)
        save_file(Transformer(MINI.transformer).state_dict(), tmp_path / "teacher.safetensors")
        arguments = [str(manifest), "--weights", str(weights), "--clips", str(made), "--frames", "3"]
        make_clips.main(arguments)
        before = load_file(made / "ben.safetensors")
        assert "states" not in before
        make_clips.main([*arguments, "--teacher", str(tmp_path / "teacher.safetensors")])
        after = load_file(made / "ben.safetensors")
        assert after["states"].shape == (5, 3, 16, 4, 4)
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert after["states"].isfinite().all()

    def test_frames_that_are_no_blocks_are_refused(self, manifest: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="4 latent frames"):
            make_clips.main([str(manifest), "--tiny", "--clips", str(tmp_path / "clips"), "--frames", "4"])
