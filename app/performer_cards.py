"""The ways to draw the avatar, as cards for Settings, with what this computer has for each. Pool threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.settings_services import Download, PerformerCard, PresetChoice, Requirement
from app.setup import livetalk
from app.setup.pace import gigabytes
from core.performer.livetalk.files import find, own_folder
from core.performer.livetalk.spec import PRESETS, SMALL_DECODER, SMALL_DECODER_WORDS
from core.performer.preflight import best_preset, drawable, holds, look_at, needs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.performer.livetalk.files import Found
    from core.performer.livetalk.spec import Preset
    from core.performer.preflight import Computer


def performer_cards(weights: str) -> list[PerformerCard]:
    """Every performer there is, those included that this computer cannot run. `weights` is the folder of the person's
    own that may have the files of one."""
    return [_portrait(), livetalk_card(look_at(own_folder()), find(weights))]


def _portrait() -> PerformerCard:
    tr = QCoreApplication.translate
    needed = (
        Requirement(tr("Performers", "Any computer with two processor cores"), met=True),
        Requirement(tr("Performers", "Nothing to download"), met=True),
    )
    gives = tr("Performers", "Any picture, 512 × 512, 25 frames a second. Lips follow the voice.")
    return PerformerCard("portrait", tr("Performers", "Portrait"), gives, needed, selectable=True)


def livetalk_card(computer: Computer, found: Found) -> PerformerCard:
    """LiveTalk 1.3B on this computer, with those of its files that were found."""
    tr = QCoreApplication.translate
    complete, left = livetalk.complete(found), livetalk.left(found)
    presets = drawable(PRESETS, small_decoder="small_decoder" in found.paths or not complete)
    lacking = needs(computer, presets, 0 if complete else livetalk.room(found))
    fits = all(need.met for need in lacking)
    gives = tr("Performers", "The whole picture is imagined anew: head, gaze and expression move with what is said.")
    best = best_preset(computer, presets)
    if fits and best is not None:
        gives += " " + tr("Performers", "This computer can do it with the preset “{}”.").format(_name(best))
    return PerformerCard(
        "livetalk",
        tr("Performers", "LiveTalk 1.3B"),
        gives,
        (*(Requirement(need.words, need.met) for need in lacking), _files(found, complete=complete)),
        selectable=fits and complete,
        needs="" if fits else _advice([need.advice for need in lacking if need.advice], complete=complete),
        licence=tr("Performers", "Licence of the weights: {}").format(livetalk.LICENCE),
        download=_download(left) if fits and not complete else None,
        presets=tuple(_presets(computer, presets, best)) if fits and best is not None else (),
        motion=tr("Performers", "LiveTalk 1.3B decides by itself how much the head moves; its manner can be chosen."),
        manners=1,
    )


def _presets(computer: Computer, drawable: Sequence[Preset], best: Preset) -> Iterator[PresetChoice]:
    """The automatic choice, then every preset: those included that cannot be had here, with the reason."""
    tr = QCoreApplication.translate
    words = tr("Performers", "The best one that the GPU has room for. On this computer: {}.")
    yield PresetChoice("auto", tr("Performers", "Automatic"), words.format(_name(best)))
    for preset in PRESETS:
        name = tr("Performers", "{name} · {memory} GB").format(name=_name(preset), memory=preset.memory_mb // 1000)
        words, possible = _words(preset), True
        if preset not in drawable:
            words, possible = tr("Performers", "{} is not here. It comes with the files.").format(SMALL_DECODER), False
        elif not holds(computer, preset):
            words, possible = tr("Performers", "Needs more memory than this GPU has."), False
        yield PresetChoice(preset.name, name, words, possible)


def _name(preset: Preset) -> str:
    tr = QCoreApplication.translate
    return {
        "quality": tr("Performers", "Quality"),
        "fast": tr("Performers", "Fast"),
        "fastest": tr("Performers", "Fastest"),
        "low": tr("Performers", "Low memory"),
    }[preset.name]


def _words(preset: Preset) -> str:
    """What it is made of, in the order in which one gives way to the next."""
    tr = QCoreApplication.translate
    if preset.decoder != "small":
        return tr("Performers", "The best picture: the model's own decoder, and all numbers in 16 bits.")
    if preset.linears == "half":
        return f"{SMALL_DECODER}. {SMALL_DECODER_WORDS}"
    if preset.cache == "half":
        return tr("Performers", "{}, and weights in 8 bits: faster still.").format(SMALL_DECODER)
    return tr("Performers", "{}; weights and what it remembers in 8 bits: for small GPUs.").format(SMALL_DECODER)


def _files(found: Found, *, complete: bool) -> Requirement:
    """Whether the files are here, and else how many bytes, and what lies in their place."""
    tr = QCoreApplication.translate
    if complete:
        return Requirement(tr("Performers", "Model files: in {}").format(found.paths["transformer"].parent), met=True)
    left, size = livetalk.left(found), livetalk.size()
    words = tr("Performers", "Model files, {}: not downloaded").format(gigabytes(size))
    if left < size:
        words = tr("Performers", "Model files, {size}: {left} are missing").format(
            size=gigabytes(size), left=gigabytes(left)
        )
    damaged = [seen for seen in found.others if seen.detail]
    if damaged:
        words += f". “{damaged[0].path.name}” {damaged[0].what}"
    return Requirement(words, met=False)


def _download(left: int) -> Download:
    terms = "" if livetalk.accepted() else livetalk.TERMS
    return Download(left, begun=left < livetalk.size(), terms=terms)


def _advice(lacking: list[str], *, complete: bool) -> str:
    tr = QCoreApplication.translate
    longer = " ".join(lacking)
    if not complete:
        more = tr("Performers", "The files for another computer are fetched with: livetalk models fetch {}")
        longer = f"{longer} {more.format(livetalk.NAME)}"
    return f"{longer}. {tr('Performers', 'Portrait goes on meanwhile.')}"
