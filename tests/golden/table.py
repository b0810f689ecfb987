"""The table of cases: one family of files a row. A family finds its files in a folder and makes a case of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.golden import audio, numbers, text, training, transformer, video

if TYPE_CHECKING:
    from tests.golden.folder import Case, Cases, Folder

FAMILIES: tuple[Cases, ...] = (
    numbers.cases,
    transformer.cases,
    audio.cases,
    text.cases,
    video.cases,
    training.cases,
)


def cases_in(folder: Folder) -> list[Case]:
    """Everything that can be compared with what is there."""
    return [case for family in FAMILIES for case in family(folder)]


def without_a_case(folder: Folder, cases: list[Case]) -> list[str]:
    """Files that nothing is compared with."""
    used = {stem for case in cases for stem in case.files}
    return [stem for stem in folder.stems if stem not in used]
