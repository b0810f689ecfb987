"""Curation: a folder of pictures and sounds becomes a manifest of good conditions, with a reason for each refusal.

    python -m core.training.curate FOLDER --out manifest.jsonl [--recipe core/training/recipes/conditions.toml]

A clip is a picture and a sound of the same name (`anna.png`, `anna.wav`), with a prompt in `anna.txt` where there is
one; without, the prompt is the one that the product uses. Beside the manifest: `manifest.refused.jsonl` with every
reason, and `manifest.png`, a contact sheet to look at.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from core.errors import LiveTalkError
from core.performer.livetalk.prompts import SCENE
from core.performer.portrait.identity import read_picture
from core.performer.portrait.landmarks import FaceFinder
from core.settings import models_folder
from core.training.conditions import ConditionRecipe, as_shown, picture_faults, refined, sound_faults
from core.training.manifest import Condition, Refused, refusals, write_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from core.media import Pixels

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
SIDE, WORDS, COLUMNS = 192, 62, 6
"""px of a picture on the contact sheet and of the words beneath it; pictures in a row."""
_LINE, _LINES = 15, 4
_KEPT, _REFUSED = "#0a6c74", "#c2410c"


@dataclass(frozen=True, eq=False)
class Looked:
    """One picture, looked at: `verdict` is the condition that it became, or why it did not."""

    verdict: Condition | Refused
    thumbnail: Pixels
    """[SIDE, SIDE, 3] of what the model would be shown."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.training.curate", description="Choose good conditions.")
    parser.add_argument("folder", type=Path, help="pictures and sounds of the same names, prompts in .txt")
    parser.add_argument("--out", type=Path, required=True, metavar="manifest.jsonl")
    parser.add_argument("--recipe", type=Path, default=ConditionRecipe.DEFAULT)
    parser.add_argument("--faces", type=Path, default=models_folder() / "face", help="the face models (`make models`)")
    given = parser.parse_args(arguments)
    pictures = [path for path in sorted(given.folder.iterdir()) if path.suffix.lower() in PICTURES]
    finder, recipe = FaceFinder(given.faces), ConditionRecipe.load(given.recipe)
    looked = look_at(tqdm(pictures, desc="pictures"), finder, recipe, given.out.parent)
    kept = [one.verdict for one in looked if isinstance(one.verdict, Condition)]
    refused = [one.verdict for one in looked if isinstance(one.verdict, Refused)]
    write_manifest(given.out, kept, refused)
    if looked:
        contact_sheet(looked).save(given.out.with_suffix(".png"))
    print(f"{len(kept)} of {len(looked)} are in {given.out}; why {len(refused)} are not is in {refusals(given.out)}")


def look_at(pictures: Iterable[Path], finder: FaceFinder, recipe: ConditionRecipe, beside: Path) -> list[Looked]:
    """Every picture with its sound and its prompt; paths are told relative to the folder `beside`."""
    looked: list[Looked] = []
    names: set[str] = set()
    for path in pictures:
        looked.append(_look(path, finder, recipe, beside, twice=path.stem in names))
        names.add(path.stem)
    return looked


def contact_sheet(looked: Sequence[Looked]) -> Image.Image:
    """What was kept, then what was refused with the reasons beneath."""
    ordered = sorted(looked, key=lambda one: isinstance(one.verdict, Refused))
    rows = -(-len(ordered) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, rows * (SIDE + WORDS)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, one in enumerate(ordered):
        left, top = number % COLUMNS * SIDE, number // COLUMNS * (SIDE + WORDS)
        sheet.paste(Image.fromarray(one.thumbnail), (left, top))
        refused = isinstance(one.verdict, Refused)
        colour = _REFUSED if refused else _KEPT
        pen.rectangle((left + 1, top + 1, left + SIDE - 2, top + SIDE - 2), outline=colour, width=3)
        told = f"{one.verdict.name}: " + (" ".join(one.verdict.reasons) if isinstance(one.verdict, Refused) else "kept")
        for line, words in enumerate(_wrapped(told, font, SIDE - 8)[:_LINES]):
            pen.text((left + 4, top + SIDE + 2 + line * _LINE), words, colour, font)
    return sheet


def _look(path: Path, finder: FaceFinder, recipe: ConditionRecipe, beside: Path, *, twice: bool) -> Looked:
    sound = next((found for suffix in SOUNDS if (found := path.with_suffix(suffix)).exists()), None)
    heard = sound_faults(sound, recipe.sound) if sound else [f"there is no sound called {path.stem}."]
    heard += [f"there is another picture called {path.stem}."] if twice else []
    told = _relative(path, beside)
    try:
        picture = read_picture(path)
        seen = picture_faults(picture, finder, recipe.picture)
        thumbnail = _thumbnail(picture)
    except LiveTalkError as error:
        seen, thumbnail = [error.title], np.full((SIDE, SIDE, 3), 235, np.uint8)
    if sound is None or seen or heard:
        return Looked(Refused(path.stem, told, [*seen, *heard]), thumbnail)
    words = path.with_suffix(".txt")
    prompt = refined(words.read_text("utf-8"), recipe.prompt) if words.exists() else SCENE
    return Looked(Condition(path.stem, told, _relative(sound, beside), prompt), thumbnail)


def _relative(path: Path, beside: Path) -> str:
    return Path(os.path.relpath(path, beside)).as_posix()


def _thumbnail(picture: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(as_shown(picture)).resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.uint8)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


if __name__ == "__main__":
    main()
