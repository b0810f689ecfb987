"""The corpus of a recipe: its streams, made once by all cores and kept in a file."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from core.performer.portrait.motion import open_speech
from core.training.data import StreamMaker
from core.training.dataset import Corpus

if TYPE_CHECKING:
    from pathlib import Path

    from core.performer.portrait.motion import MotionSpec
    from core.training.data import DataRecipe, Mels, Stream
    from core.training.rig import Rig

STREAMS = "streams.npz"
_maker: StreamMaker | None = None


def corpus_at(path: Path, recipe: DataRecipe, rig: Rig, spec: MotionSpec) -> Corpus:
    """The corpus kept at `path`, made when it is not there.

    Raises:
        PerformerError: what the weights listen through is missing.
    """
    if not path.exists():
        partial = path.with_suffix(".partial.npz")
        made(recipe, rig, spec).save(partial)
        partial.replace(path)
    return Corpus.load(path)


def made(recipe: DataRecipe, rig: Rig, spec: MotionSpec) -> Corpus:
    """Every stream by its number, so that it does not matter who makes it. espeak-ng is one a process."""
    start = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), start, _begin, (recipe, rig, spec)) as pool:
        streams = list(tqdm(pool.map(_stream, range(recipe.streams)), total=recipe.streams, desc="streams"))
        music = pool.submit(_music).result()
    return Corpus.of(streams, music)


def maker_of(recipe: DataRecipe, rig: Rig, spec: MotionSpec) -> StreamMaker:
    """Raises: PerformerError: what the weights listen through is missing."""
    return StreamMaker(recipe, rig, spec.hearing, open_speech(spec))


def _begin(recipe: DataRecipe, rig: Rig, spec: MotionSpec) -> None:
    global _maker
    torch.set_num_threads(1)
    _maker = maker_of(recipe, rig, spec)


def _stream(number: int) -> Stream:
    assert _maker is not None
    return _maker.stream(number)


def _music() -> list[Mels]:
    assert _maker is not None
    return _maker.music()
