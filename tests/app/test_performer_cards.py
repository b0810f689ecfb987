"""What the cards of the performers say about this computer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.performer_cards import livetalk_card, performer_cards
from app.setup import livetalk
from core.performer.livetalk.files import Found, Seen
from core.performer.livetalk.spec import LIVETALK_1_3B, QUALITY, SMALL_DECODER, SMALL_DECODER_WORDS
from core.settings import PRESETS
from tests.core.test_preflight import GOOD

NO_GPU = replace(GOOD, gpu="", gpu_memory=0, usable=False, driver="")
NOTHING = Found({}, ())
EVERYTHING = Found({piece.kind: Path("/models/here/file") for piece in livetalk.PIECES}, ())


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETALK_MODELS", str(tmp_path / "models"))


def test_the_portrait_is_for_everybody_and_the_other_says_what_is_missing() -> None:
    portrait, other = performer_cards("")
    assert portrait.selectable
    assert (other.key, other.selectable) == ("livetalk", False)
    assert not all(requirement.met for requirement in other.requirements)


def test_without_a_gpu_it_says_so_and_offers_no_download() -> None:
    card = livetalk_card(NO_GPU, NOTHING)
    assert card.requirements[0].words.endswith("this computer has none")
    assert not card.requirements[0].met
    assert not card.selectable
    assert card.download is None
    assert card.needs == (
        "A computer with an NVIDIA GPU of 6 GB or more. The files for another computer are fetched with: "
        "livetalk models fetch livetalk-1.3b. Portrait goes on meanwhile."
    )


def test_with_a_gpu_only_the_files_are_missing_and_can_be_had_on_terms() -> None:
    card = livetalk_card(GOOD, NOTHING)
    assert [requirement.met for requirement in card.requirements] == [True, True, True, True, False]
    assert card.requirements[-1].words == "Model files, 18.0 GB: not downloaded"
    assert "preset “Quality”" in card.gives
    assert card.licence == "Licence of the weights: CC BY-NC-SA 4.0 or Apache-2.0"
    assert card.download is not None
    assert (card.download.left, card.download.begun, card.download.terms) == (livetalk.size(), False, livetalk.TERMS)
    assert (card.selectable, card.needs) == (False, "")
    livetalk.accept()
    again = livetalk_card(GOOD, NOTHING).download
    assert again is not None
    assert again.terms == "", "nobody is asked twice"


def test_with_everything_here_it_can_be_chosen() -> None:
    card = livetalk_card(replace(GOOD, disk_free=0), EVERYTHING)
    assert card.selectable
    assert card.requirements[-1].words == "Model files: in /models/here"
    assert all(requirement.met for requirement in card.requirements)
    assert card.download is None


def test_every_preset_says_what_it_needs_and_what_draws() -> None:
    presets = {preset.key: preset for preset in livetalk_card(GOOD, EVERYTHING).presets}
    assert tuple(presets) == PRESETS
    assert presets["auto"].words.endswith("On this computer: Quality.")
    assert [preset.name for preset in presets.values()] == [
        "Automatic",
        "Quality · 11 GB",
        "Fast · 9 GB",
        "Fastest · 8 GB",
        "Low memory · 6 GB",
    ]
    assert SMALL_DECODER_WORDS in presets["fast"].words
    assert all(SMALL_DECODER in presets[key].words for key in ("fast", "fastest", "low"))
    assert all(preset.possible for preset in presets.values())


def test_a_preset_that_cannot_run_here_stays_visible_with_the_reason() -> None:
    small = replace(GOOD, gpu_memory=int(8.2e9), gpu_free=int(8e9))
    presets = {preset.key: preset for preset in livetalk_card(small, EVERYTHING).presets}
    assert [key for key, preset in presets.items() if not preset.possible] == ["quality", "fast"]
    assert presets["quality"].words == "Needs more memory than this GPU has."
    paths = {kind: path for kind, path in EVERYTHING.paths.items() if kind != "small_decoder"}
    presets = {preset.key: preset for preset in livetalk_card(GOOD, Found(paths, ())).presets}
    assert [key for key, preset in presets.items() if preset.possible] == ["auto", "quality"]
    assert "Small decoder (TAEHV) is not here" in presets["low"].words


def test_only_the_performer_that_follows_the_amount_of_motion_offers_it() -> None:
    portrait, other = performer_cards("")
    assert (portrait.motion, portrait.manners) == ("", 2)
    assert other.manners == 1
    assert "decides by itself" in other.motion
    assert LIVETALK_1_3B.performer_spec(QUALITY).moves_as_told is not bool(other.motion)


def test_files_alone_are_not_enough() -> None:
    assert not livetalk_card(NO_GPU, EVERYTHING).selectable


def test_a_disk_that_is_too_small_is_said_before_anything_is_downloaded() -> None:
    card = livetalk_card(replace(GOOD, disk_free=int(10e9)), NOTHING)
    assert card.download is None
    assert "18.5 GB of disk space: 10.0 GB are free" in [requirement.words for requirement in card.requirements]
    assert card.needs.startswith("Free 8.5 GB.")


def test_a_file_that_was_cut_short_is_named() -> None:
    paths = {kind: path for kind, path in EVERYTHING.paths.items() if kind != "vae"}
    damaged = Seen(Path("/models/here/Wan2.1_VAE.pth"), None, "is damaged or cut short", "EOFError")
    words = livetalk_card(GOOD, Found(paths, (damaged,))).requirements[-1].words
    assert words == "Model files, 18.0 GB: 0.5 GB are missing. “Wan2.1_VAE.pth” is damaged or cut short"
